"""How well a note answers a question, by several measures, and how likely it is the right one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sottovoce.speech.notes.note import Note
from sottovoce.speech.notes.sounds import romanized, sounds, stream
from sottovoce.speech.notes.words import content_words, plain_words, question_words, stem, trigrams, words

Floats = NDArray[np.float64]

# What a word of the question is worth by where it is found: in a heading 1.
IN_TRAIL = 0.6
IN_POINTS = 0.4
# What it is worth if only something like it is in the heading.
_SPELLED_ALIKE = 0.7
_SOUNDS_ALIKE = 0.8
_LEAST_ALIKE = 0.25
#: Likeness of letters or sounds (Indel) below which two words are not compared any closer.
_LEAST_INDEL = 0.5

#: Names of the measures, in the order of :data:`WEIGHTS`.
MEASURES = ("asked_covered", "heading_heard", "words", "letters", "sounds", "alike", "question_word")
# Found by bench/hearing/retrieval.py --tune, which prints them.
WEIGHTS: Floats = np.array([0.88, 2.0, 4.0, 4.5, 2.0, 5.0, 0.24])
#: Of the likelihood: a constant, the decimal logarithm of the number of notes, the lead over the next, the measures.
LIKELIHOOD: Floats = np.array([-2.35, -0.6, 0.87, 0.0, 2.12, 0.0, 1.28, 0.0, 0.44, 0.0])
#: A lead that is greater says no more.
_MOST_LEAD = 4.0
# Corpora make up what points say, so that the fit knows nothing of questions that only points answer.
_NEARLY_ALL, _IF_HELD = 0.9, 0.6
_LEAST_UNHELD, _IF_UNHELD = 0.5, 0.3


@dataclass(frozen=True, slots=True)
class Wording:
    """A heading or a question."""

    stems: tuple[str, ...]
    question_words: frozenset[str]
    sound: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What of a note is compared with a question."""

    note: Note
    wordings: tuple[Wording, ...]
    trail: frozenset[str]
    points: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: what it is about, as words and as stems, with the weight of each; its question words; its sound.

    ``joined`` are neighbouring words as one, because a word may be heard as two, and the places of their content
    words in ``words``.
    """

    words: tuple[str, ...]
    stems: tuple[str, ...]
    weights: Floats
    question_words: frozenset[str]
    sound: str
    joined: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """How a note compares with a question: by which wording, and what each word of the question is worth there.

    ``held`` is the part of the question whose words stand in the note unchanged, wherever.
    """

    row: int
    wording: Wording
    values: Floats
    worths: Floats
    held: float

    @property
    def coverage(self) -> float:
        return float(self.values[0])

    @property
    def score(self) -> float:
        return float(self.values @ WEIGHTS)


def entry_of(note: Note) -> Entry:
    """What of a note is compared."""
    texts = dict.fromkeys((note.title, *note.questions))
    return Entry(
        note,
        tuple(Wording(_stems(text), question_words(text), stream(words(text))) for text in texts),
        frozenset(_stems(" ".join(note.trail))),
        frozenset(_stems(" ".join(note.points))),
    )


def ask(text: str, rarity: Callable[[str], float]) -> Asked:
    """What a question is about; ``rarity`` tells how much a stem says."""
    about = tuple(content_words(text))
    stems = tuple(map(stem, about))
    places = {word: place for place, word in enumerate(about)}
    heard = plain_words(text)
    joined = []
    for first, second in pairwise(heard):
        whole = first + second
        covers = tuple(places[word] for word in (first, second) if word in places)
        if covers and len(whole) >= 5 and whole.isalpha():
            joined.append((stem(whole), covers))
    return Asked(
        about,
        stems,
        np.array([rarity(each) for each in stems]),
        question_words(text),
        stream(words(text)),
        tuple(joined),
    )


class Comparison:
    """Compares a question with some notes, word by word.

    Parameters
    ----------
    asked : Asked
        The question.
    entries : mapping of int to Entry
        The notes that may answer it, by their rows.
    rarity : callable
        How much a stem says.
    """

    def __init__(self, asked: Asked, entries: dict[int, Entry], rarity: Callable[[str], float]) -> None:
        self._asked = asked
        stems = {each for entry in entries.values() for wording in entry.wordings for each in wording.stems}
        self._columns = {each: column for column, each in enumerate(stems)}
        self._rarity = np.array([rarity(each) for each in stems])
        self._entries = entries
        self._alike = self._likenesses(tuple(stems))

    def measure(self, row: int, fused: Sequence[float]) -> Measured:
        """Compare with one note, by whichever of its headings and questions fits best.

        ``fused`` are the measures that an index has for the whole note: words, letters, sounds.
        """
        entry = self._entries[row]
        elsewhere = np.array(
            [
                IN_TRAIL if each in entry.trail else IN_POINTS if each in entry.points else 0.0
                for each in self._asked.stems
            ]
        )
        return max(
            (self._measure(row, wording, elsewhere, fused) for wording in entry.wordings),
            key=lambda measured: measured.score,
        )

    def nearest(self, place: int, wording: Wording) -> str:
        """The stem of a heading that a word of the question, alone or with its neighbour, is most like."""
        joined = enumerate(self._asked.joined, start=len(self._asked.stems))
        rows = [place, *(row for row, (_, covers) in joined if place in covers)]
        return max(wording.stems, key=lambda each: self._alike[rows, self._columns[each]].max(), default="")

    def _measure(self, row: int, wording: Wording, elsewhere: Floats, fused: Sequence[float]) -> Measured:
        from rapidfuzz import fuzz

        asked = self._asked
        worths, heard = elsewhere, 0.0
        if wording.stems:
            columns = [self._columns[each] for each in wording.stems]
            alike = self._alike[:, columns]
            if len(asked.stems):
                worths = np.maximum(elsewhere, alike[: len(asked.stems)].max(axis=1))
                for place, (_, covers) in enumerate(asked.joined, start=len(asked.stems)):
                    best = float(alike[place].max())
                    for covered in covers:
                        worths[covered] = max(worths[covered], best)
                rarity = self._rarity[columns]
                heard = float(alike.max(axis=0) @ rarity / rarity.sum())
        whole = float(asked.weights.sum())
        part_covered = float(asked.weights @ worths / whole) if whole else 0.0
        unchanged = (elsewhere > 0.0) | np.isin(asked.stems, wording.stems)
        held = float(asked.weights @ unchanged / whole) if whole else 0.0
        shared = len(asked.question_words & wording.question_words) / max(1, len(wording.question_words))
        alike_whole = fuzz.ratio(asked.sound, wording.sound) / 100.0 if asked.sound and wording.sound else 0.0
        return Measured(row, wording, np.array([part_covered, heard, *fused, alike_whole, shared]), worths, held)

    def _likenesses(self, stems: tuple[str, ...]) -> Floats:
        """How alike each word of the question, and each joined pair behind them, is to each stem of the headings."""
        asked = (*self._asked.stems, *(whole for whole, _ in self._asked.joined))
        if not asked or not stems:
            return np.zeros((len(asked), len(stems)))
        from rapidfuzz.distance import Indel
        from rapidfuzz.process import cdist

        spelled = [[romanized(each) for each in words] for words in (asked, stems)]
        said = [[sounds(each) for each in words] for words in (asked, stems)]
        # figures are alike only if they are the same
        said = [["" if _holds_figure(word) else sound for word, sound in zip(words, sounds_, strict=True)]
                for words, sounds_ in zip((asked, stems), said, strict=True)]  # fmt: skip
        letters = cdist(*spelled, scorer=Indel.normalized_similarity, score_cutoff=_LEAST_INDEL)
        heard = cdist(*said, scorer=Indel.normalized_similarity, score_cutoff=_LEAST_INDEL)
        shorter = np.minimum.outer(*(np.array([len(sound) for sound in each]) for each in said))
        found = _SOUNDS_ALIKE * heard * (shorter / (shorter + 2.0))  # many consonants that agree say more than two
        for row, column in np.argwhere(letters > 0.0):
            if asked[row] == stems[column]:
                found[row, column] = 1.0
            elif said[0][row] and said[1][column]:
                alike = _SPELLED_ALIKE * likeness(spelled[0][row], spelled[1][column])
                found[row, column] = max(found[row, column], alike)
        found[found < _LEAST_ALIKE] = 0.0
        return np.asarray(found, np.float64)


def likelihoods(ranked: Sequence[Measured], notes: int) -> list[float]:
    """How likely each of some notes, best first, is the one that was asked for: 0 to 1.

    What counts are the measures, and the lead of the score over the next note with another heading. A note that holds
    nearly the whole question, if only in its points, and more of it than any other, is likely at least. One that holds
    no word of it unchanged, and nothing like half of it, is not.
    """
    if not ranked:
        return []
    best = ranked[0].score
    rival = next((other.score for other in ranked[1:] if other.wording != ranked[0].wording), 0.0)
    most_held = max(each.held for each in ranked)
    found = []
    for each in ranked:
        lead = best - rival if each.wording == ranked[0].wording else each.score - best
        logit = float(LIKELIHOOD @ likelihood_features(each.values, lead, notes))
        likely = 1.0 / (1.0 + math.exp(-logit))
        if each.held >= _NEARLY_ALL and each is ranked[0] and sum(other.held == most_held for other in ranked) == 1:
            likely = max(likely, each.held * _IF_HELD)
        if not each.held and each.coverage < _LEAST_UNHELD:
            likely *= _IF_UNHELD
        found.append(likely)
    return found


def likelihood_features(values: Floats, lead: float, notes: int) -> Floats:
    """What :data:`LIKELIHOOD` weighs, of a note with these measures among so many."""
    return np.array([1.0, math.log10(notes), min(max(lead, -_MOST_LEAD), _MOST_LEAD), *values])


def _stems(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(stem(word) for word in content_words(text)))


def _holds_figure(word: str) -> bool:
    return any(letter.isdigit() for letter in word)


@lru_cache(maxsize=1 << 16)
def _runs_of(word: str) -> frozenset[str]:
    return frozenset(trigrams(word))


def likeness(one: str, other: str) -> float:
    """Dice's coefficient of the runs of three letters."""
    ours, theirs = _runs_of(one), _runs_of(other)
    return 2.0 * len(ours & theirs) / (len(ours) + len(theirs)) if ours and theirs else 0.0
