"""Finds the note that answers a question, although the question was misheard.

In two steps. Three inverted indexes propose candidates: one of words by their stems, one of runs of three letters,
which survive a misheard syllable, one of runs of three consonants across the borders of words, which survive words
that are cut otherwise. Then the candidates are compared with the question word by word, by spelling and by sound.
All measures together give a score, and the score and its lead over the next note how likely it is the right one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sottovoce.speech.notes.note import Note, Notes
from sottovoce.speech.notes.postings import Postings
from sottovoce.speech.notes.ranking import (
    IN_POINTS,
    IN_TRAIL,
    Asked,
    Comparison,
    Entry,
    Measured,
    ask,
    entry_of,
    likelihoods,
)
from sottovoce.speech.notes.restore import Restored, Restorer
from sottovoce.speech.notes.sounds import stream
from sottovoce.speech.notes.vocabulary import terms_of
from sottovoce.speech.notes.words import content_words, stem, trigrams, words

#: Least likelihood of a note that is given as an answer.
MIN_CONFIDENCE = 0.4
#: Least likelihood of a note that is given as a passage which may matter.
MIN_RELATED = 0.2
#: Part of a question from which a note that covers it may matter, however likely.
MIN_COVERED = 0.4

#: Notes that are compared word by word.
CANDIDATES = 40
# What each inverted index counts for when candidates are chosen.
_PROPOSING = np.array([1.0, 0.6, 0.6], np.float32)
# What a word counts by where it stands, when candidates are chosen.
_HEADING, _TRAIL, _POINTS = 4.0, 1.5, 1.0
_RUN = 3


@dataclass(frozen=True, slots=True)
class Match:
    """A word of the question that a note covers.

    Attributes
    ----------
    heard : str
        The word as it was asked.
    where : {"heading", "heading above", "points", "alike"}
        Where it stands, or "alike" if only a word like it stands in the heading.
    meant : str
        For "alike", the stem of that word; otherwise that of the word itself.
    worth : float
        0 to 1.
    """

    heard: str
    where: str
    meant: str
    worth: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A note that may answer.

    Attributes
    ----------
    note : Note
        The note.
    score : float
        Orders the hits of one search.
    confidence : float
        How likely it is the note that was asked for, 0 to 1, whatever the search.
    coverage : float
        Part of what the question is about that the note covers, 0 to 1.
    matches : tuple of Match
        The words of the question that it covers.
    """

    note: Note
    score: float
    confidence: float
    coverage: float
    matches: tuple[Match, ...]

    @property
    def matched(self) -> tuple[str, ...]:
        """The words of the question that it covers."""
        return tuple(match.heard for match in self.matches)


class NotesIndex:
    """An index over notes, in memory. Safe to use from several threads.

    Parameters
    ----------
    notes : Notes or iterable of Note
        What to search.
    min_confidence : float
        See :data:`MIN_CONFIDENCE`; 0 finds something wherever there is anything in common.
    """

    def __init__(self, notes: Notes | Iterable[Note], *, min_confidence: float = MIN_CONFIDENCE) -> None:
        if not 0.0 <= min_confidence <= 1.0:
            raise ValueError(f"min_confidence is {min_confidence}; it must lie within 0 and 1")
        self.min_confidence = min_confidence
        self._tables = _Tables(notes)

    def __len__(self) -> int:
        return len(self.notes)

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes that are searched now."""
        return self._tables.notes

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return self._tables.nbytes

    def questions(self) -> tuple[str, ...]:
        """Every question and title of the notes, each once: what a recogniser may expect to hear."""
        return tuple(dict.fromkeys(text for note in self.notes for text in _texts(note)))

    def search(self, text: str, limit: int = 5) -> tuple[Hit, ...]:
        """The notes that answer ``text``, best first; none if it is likely about nothing that is in the notes."""
        return tuple(hit for hit in self.rank(text, limit) if hit.confidence >= self.min_confidence)

    def related(self, text: str, limit: int = 5) -> tuple[Hit, ...]:
        """The notes that may matter to who answers ``text``: less certain ones than :meth:`search` gives, too.

        Several may, so that one which covers much of the question counts whether or not another is likelier.
        """
        least = min(MIN_RELATED, self.min_confidence)
        hits = self.rank(text, limit)
        return tuple(hit for hit in hits if hit.confidence >= least or hit.coverage >= MIN_COVERED)

    def rank(self, text: str, limit: int = 5) -> tuple[Hit, ...]:
        """The notes that are nearest to ``text``, best first, however far they are.

        Stop-words and question words alone find nothing, except a heading that is repeated word by word.
        """
        return self._tables.rank(text, limit)

    def measured(self, text: str) -> list[Measured]:
        """What :meth:`rank` orders the notes by, best first: for tuning."""
        tables = self._tables
        return tables.measure(ask(text, tables.rarity))[0]

    def replace(self, notes: Notes | Iterable[Note]) -> None:
        """Search these notes from now on; searches under way end with the old ones."""
        self._tables = _Tables(notes)

    def restore(self, text: str) -> Restored:
        """A transcript with names, abbreviations and numbers as the notes write them, where they were heard."""
        return self._tables.restore(text)

    def close(self) -> None:
        """Free the memory; idempotent. A search after that finds nothing."""
        self._tables = _Tables(())


class _Tables:
    """Everything that is worked out for one set of notes; never changed."""

    def __init__(self, notes: Notes | Iterable[Note]) -> None:
        self.notes: tuple[Note, ...] = notes.notes if isinstance(notes, Notes) else tuple(notes)
        self._entries = [entry_of(note) for note in self.notes]
        self._exact: dict[tuple[str, ...], int] = {}
        for row, note in enumerate(self.notes):
            for text in _texts(note):
                self._exact.setdefault(tuple(words(text)), row)
        self._by_word = Postings(map(_words_of, self.notes))
        self._by_letters = Postings(map(_letters_of, self.notes))
        self._by_sound = Postings(map(_sounds_of, self.notes))
        self.rarity = self._by_word.rarity
        self.nbytes = self._by_word.nbytes + self._by_letters.nbytes + self._by_sound.nbytes
        self.restore = Restorer(terms_of(self.notes))

    def rank(self, text: str, limit: int) -> tuple[Hit, ...]:
        asked = ask(text, self.rarity)
        measured, comparison = self.measure(asked)
        hits = [
            Hit(
                self.notes[each.row],
                each.score,
                confidence,
                each.coverage,
                tuple(_matches(asked, each, self._entries[each.row], comparison)),
            )
            for each, confidence in zip(measured[:limit], likelihoods(measured, len(self.notes)), strict=False)
        ]
        exact = self._exact.get(tuple(words(text)))
        if exact is not None:
            matches = (Match(word, "heading", each, 1.0) for word, each in zip(asked.words, asked.stems, strict=True))
            sure = Hit(self.notes[exact], math.inf, 1.0, 1.0, tuple(matches))
            hits = [sure, *(hit for hit in hits if hit.note is not sure.note)]
        return tuple(hits[:limit])

    def measure(self, asked: Asked) -> tuple[list[Measured], Comparison]:
        """The notes that have anything in common with a question, best first, and how that was found."""
        fused = np.stack(
            [
                self._by_word.scores(asked.stems),
                self._by_letters.scores(run for word in asked.words for run in trigrams(word)),
                self._by_sound.scores(_runs(asked.sound)),
            ]
        )
        proposed = _PROPOSING @ fused
        rows: list[int] = []
        if asked.stems and self.notes:
            count = min(CANDIDATES, len(self.notes))
            best = np.argpartition(-proposed, count - 1)[:count]
            rows = sorted((int(row) for row in best if proposed[row] > 0.0), key=lambda row: (-proposed[row], row))
        comparison = Comparison(asked, {row: self._entries[row] for row in rows}, self.rarity)
        measured = [comparison.measure(row, fused[:, row].tolist()) for row in rows]
        measured = [each for each in measured if each.worths.any()]
        measured.sort(key=lambda each: -each.score)  # stable: equals stay in the order in which they were proposed
        return measured, comparison


def _matches(asked: Asked, measured: Measured, entry: Entry, comparison: Comparison) -> Iterator[Match]:
    """The words that are covered, and by what."""
    for place, (word, each, worth) in enumerate(zip(asked.words, asked.stems, measured.worths, strict=True)):
        if each in measured.wording.stems:
            yield Match(word, "heading", each, 1.0)
        elif worth == IN_TRAIL and each in entry.trail:
            yield Match(word, "heading above", each, IN_TRAIL)
        elif worth == IN_POINTS and each in entry.points:
            yield Match(word, "points", each, IN_POINTS)
        elif worth > 0.0:
            yield Match(word, "alike", comparison.nearest(place, measured.wording), float(worth))


def _texts(note: Note) -> tuple[str, ...]:
    return tuple(dict.fromkeys((note.title, *note.questions)))


def _words_of(note: Note) -> Mapping[str, float]:
    counts: Counter[str] = Counter()
    for text in _texts(note):
        _count(counts, content_words(text), _HEADING)
    for texts, worth in ((note.trail, _TRAIL), (note.points, _POINTS)):
        _count(counts, content_words(" ".join(texts)), worth)
    return counts


def _count(counts: Counter[str], found: Iterable[str], worth: float) -> None:
    for word in found:
        counts[stem(word)] += worth  # type: ignore[assignment]


def _letters_of(note: Note) -> Mapping[str, float]:
    found = {word for text in (*_texts(note), *note.trail) for word in content_words(text)}
    return Counter(run for word in found for run in trigrams(word))


def _sounds_of(note: Note) -> Mapping[str, float]:
    return Counter(run for text in _texts(note) for run in _runs(stream(words(text))))


def _runs(sound: str) -> list[str]:
    return [sound[start : start + _RUN] for start in range(len(sound) - _RUN + 1)]
