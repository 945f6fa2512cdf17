"""Finds the note that answers a question, although the question was misheard.

In two steps. SQLite's FTS5 proposes candidates: one table finds words by their Porter stems (Russian ones by ours),
another by runs of three letters, which survive a misheard syllable; their two orders are fused by reciprocal rank
(Cormack, Clarke and Buettcher, SIGIR 2009). Then the candidates are compared word by word.

Measured on 10 000 notes (the documentation of Python libraries), questions of about ten words, one word in three
wrong: right first 95 %, among five 99 %; at a word error rate of 61 %: right first 75 %, among five 86 % (by the fused
order alone 64 and 80 %). A search takes 24 ms there, 4 ms in 1000 notes, under 1 ms in 14, on one of two shared cores.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sottovoce.core.errors import BackendUnavailableError
from sottovoce.speech.notes.note import Note, Notes
from sottovoce.speech.notes.words import content_words, likeness, question_words, stem, words

#: Least part of what a question is about that a note must cover to count as found. Among 14 notes, with one word in
#: three misheard, it lets 99 % of the right notes pass and 3 % of questions about other things; at a word error rate
#: of 61 % it is 80 and 2 %. Among 300 notes on one subject more of the others pass (22 %): 0.45 makes that 10 %, for
#: 5 % fewer finds.
MIN_COVERAGE = 0.35

#: Candidates that each table proposes, and that are compared word by word.
CANDIDATES = 40
#: Constant of the reciprocal rank fusion, that of its authors.
RRF_K = 60

# What a word of the question is worth by where it is found. Tried on 10 000 notes at word error rates of 30 and 61 %;
# the result is flat around these values.
_IN_TRAIL = 0.6
_IN_POINTS = 0.4
_ALIKE = 0.7
_LEAST_LIKENESS = 0.35
_QUESTION_WORD = 0.3
#: Short headings need an advantage, or a long one that holds the same words wins; this one keeps it small.
_LENGTH_PRIOR = 4.0

_HEADING_WEIGHT = 8.0
_TRAIL_WEIGHT = 3.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A note that was found.

    Attributes
    ----------
    note : Note
        The note.
    score : float
        Orders the hits of one search; not comparable between searches.
    coverage : float
        Part of what the question is about that the note covers, 0 to 1.
    matched : tuple of str
        The words of the question that it covers.
    """

    note: Note
    score: float
    coverage: float
    matched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Wording:
    """A heading or a question, as its stems."""

    stems: frozenset[str]
    question_words: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Entry:
    """What of a note is compared with a question."""

    note: Note
    wordings: tuple[_Wording, ...]
    trail: frozenset[str]
    points: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question: the words that it is about with their weights, and its question words."""

    weights: dict[str, float]
    question_words: frozenset[str]


class NotesIndex:
    """An index over notes, in memory. Safe to use from several threads.

    Parameters
    ----------
    notes : Notes or iterable of Note
        What to search.
    min_coverage : float
        See :data:`MIN_COVERAGE`; 0 finds something wherever there is a word in common.

    Raises
    ------
    BackendUnavailableError
        Python's SQLite has no FTS5 with trigrams.
    """

    def __init__(self, notes: Notes | Iterable[Note], *, min_coverage: float = MIN_COVERAGE) -> None:
        if not 0.0 <= min_coverage <= 1.0:
            raise ValueError(f"min_coverage is {min_coverage}; it must lie within 0 and 1")
        self.notes: tuple[Note, ...] = notes.notes if isinstance(notes, Notes) else tuple(notes)
        self._min_coverage = min_coverage
        self._entries = [_entry(note) for note in self.notes]
        self._frequency = Counter(stem for entry in self._entries for stem in _all_stems(entry))
        self._exact = {tuple(words(text)): row for row, text in reversed(list(_numbered_texts(self.notes)))}
        self._lock = threading.Lock()
        self._tables = _fill(self.notes)

    def __len__(self) -> int:
        return len(self.notes)

    def questions(self) -> tuple[str, ...]:
        """Every question and title of the notes, each once: what a recogniser may expect to hear."""
        return tuple(dict.fromkeys(text for note in self.notes for text in _texts(note)))

    def search(self, text: str, limit: int = 5) -> tuple[Hit, ...]:
        """The notes that answer ``text`` best, best first; none if it is about nothing that is in the notes.

        A note is found if it covers at least ``min_coverage`` of what the question is about, where rare words count
        more, words in headings more than in points, and words that only look alike less; and if it has at least one
        word of it unchanged, or half of it is covered. Stop-words and question words alone find nothing, except a
        heading that is repeated word by word.
        """
        exact = self._exact.get(tuple(words(text)))
        asked = content_words(text)
        rows = self._candidates(asked)
        if exact is not None:
            rows = [exact, *(row for row in rows if row != exact)]
        question = _Asked({word: self._weight(stem(word)) for word in asked}, question_words(text))
        hits = []
        for row in rows:
            hit = _compare(self._entries[row], question)
            if row == exact:
                hits.append(Hit(hit.note, math.inf, 1.0, tuple(asked)))
            elif self._covers(hit, self._entries[row]):
                hits.append(hit)
        hits.sort(key=lambda hit: -hit.score)  # stable: equals stay in the fused order
        return tuple(hits[:limit])

    def close(self) -> None:
        """Free the tables; idempotent. No search after that."""
        with self._lock:
            self._tables.close()

    def _candidates(self, asked: Sequence[str]) -> list[int]:
        """Rows that one of the two tables proposes, in the order of their fused ranks."""
        fused: Counter[int] = Counter()
        for table, terms in (("by_word", [_indexed(word) for word in asked]), ("by_trigram", _runs(asked))):
            if not terms:
                continue
            match = " OR ".join(f'"{term}"' for term in dict.fromkeys(terms))
            with self._lock:
                found = self._tables.execute(
                    f"SELECT rowid FROM {table} WHERE {table} MATCH ? "
                    f"ORDER BY bm25({table}, {_HEADING_WEIGHT}, {_TRAIL_WEIGHT}, 1.0) LIMIT {CANDIDATES}",
                    (match,),
                ).fetchall()
            for rank, (row,) in enumerate(found, start=1):
                fused[row] += 1.0 / (RRF_K + rank)  # type: ignore[assignment]
        return [row for row, _ in fused.most_common(CANDIDATES)]

    def _weight(self, stemmed: str) -> float:
        """Inverse document frequency; a word that no note has weighs as one that a single note has."""
        return math.log((len(self.notes) + 1.0) / (max(1, self._frequency[stemmed]) + 0.5)) + 0.1

    def _covers(self, hit: Hit, entry: _Entry) -> bool:
        if not hit.matched or hit.coverage < self._min_coverage:
            return False
        return hit.coverage >= 0.5 or any(_holds(entry, stem(word)) for word in hit.matched)


def _compare(entry: _Entry, asked: _Asked) -> Hit:
    """How well a note answers, by whichever of its headings and questions fits best."""
    whole = sum(asked.weights.values())
    best = Hit(entry.note, 0.0, 0.0, ())
    for wording in entry.wordings:
        worth = {word: _worth(stem(word), wording, entry) for word in asked.weights}
        covered = sum(weight * worth[word] for word, weight in asked.weights.items())
        helpful = _QUESTION_WORD * len(asked.question_words & wording.question_words)
        score = (covered + helpful) / math.sqrt(len(wording.stems) + _LENGTH_PRIOR)
        if score > best.score:
            matched = tuple(word for word in worth if worth[word] > 0.0)
            best = Hit(entry.note, score, covered / whole if whole else 0.0, matched)
    return best


def _worth(stemmed: str, wording: _Wording, entry: _Entry) -> float:
    """What a word counts for: 1 in the heading, less elsewhere or if only something spelled like it is there."""
    if stemmed in wording.stems:
        return 1.0
    elsewhere = _IN_TRAIL if stemmed in entry.trail else _IN_POINTS if stemmed in entry.points else 0.0
    alike = max((likeness(stemmed, other) for other in wording.stems), default=0.0)
    return max(elsewhere, _ALIKE * alike if alike >= _LEAST_LIKENESS else 0.0)


def _texts(note: Note) -> tuple[str, ...]:
    return tuple(dict.fromkeys((note.title, *note.questions)))


def _entry(note: Note) -> _Entry:
    return _Entry(
        note,
        tuple(_Wording(_stems(text), question_words(text)) for text in _texts(note)),
        _stems(" ".join(note.trail)),
        _stems(" ".join(note.points)),
    )


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in content_words(text))


def _holds(entry: _Entry, stemmed: str) -> bool:
    in_heading = any(stemmed in wording.stems for wording in entry.wordings)
    return in_heading or stemmed in entry.trail or stemmed in entry.points


def _all_stems(entry: _Entry) -> frozenset[str]:
    return entry.trail.union(entry.points, *(wording.stems for wording in entry.wordings))


def _numbered_texts(notes: Sequence[Note]) -> Iterator[tuple[int, str]]:
    for row, note in enumerate(notes):
        for text in _texts(note):
            yield row, text


def _indexed(word: str) -> str:
    """A word as the first table holds it: Porter's stemmer does nothing for Russian."""
    return word if word.isascii() else stem(word)


def _runs(asked: Iterable[str]) -> list[str]:
    return [word[start : start + 3] for word in asked for start in range(len(word) - 2)]


def _fill(notes: Sequence[Note]) -> sqlite3.Connection:
    tables = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        for name, tokenizer in (("by_word", "porter unicode61"), ("by_trigram", "trigram")):
            tables.execute(
                f"CREATE VIRTUAL TABLE {name} USING fts5(heading, trail, points, content='', tokenize='{tokenizer}')"
            )
    except sqlite3.OperationalError as error:
        tables.close()
        raise BackendUnavailableError(
            f"the SQLite {sqlite3.sqlite_version} of this Python cannot search texts ({error})",
            backend="notes",
            install_hint="use a Python with SQLite 3.34 or later and FTS5, as python.org, Debian and Homebrew have it",
        ) from error
    tables.execute("BEGIN")
    for row, note in enumerate(notes):
        parts = [content_words(" ".join(texts)) for texts in (_texts(note), note.trail, note.points)]
        stemmed = (" ".join(map(_indexed, part)) for part in parts)
        tables.execute("INSERT INTO by_word (rowid, heading, trail, points) VALUES (?, ?, ?, ?)", (row, *stemmed))
        plain = (" ".join(part) for part in parts)
        tables.execute("INSERT INTO by_trigram (rowid, heading, trail, points) VALUES (?, ?, ?, ?)", (row, *plain))
    tables.execute("COMMIT")
    return tables
