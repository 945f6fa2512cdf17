"""Mishears sentences as a recogniser does: a model of its errors, so that thousands of them can be had in seconds.

A run of one to three words is taken as its phones; some phones are replaced (mostly by one of their kind), left out or
added; what comes out is cut into words anew, and each piece becomes one of the words that sound most like it, common
ones sooner. So words are replaced by words that sound alike, and borders move, as they do for a real recogniser.

How long the runs are and how many words come out was counted in what pocketsphinx (its default model) heard of 30
sentences that three speakers of LibriSpeech read (:func:`count_errors` counts again): 60 % of words wrong, 41 % of
phones. The rates of the phones are set so that at a word error rate of 60 % the phone error rate is 41 % here, too; the
share of words that begin a run is set so that the word error rate is the one that is wanted.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import extract

#: Kinds of phones: one is most often taken for another of its kind.
ENGLISH_KINDS = (
    "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW",
    "P T K B D G",
    "F V TH DH S Z SH ZH HH CH JH",
    "M N NG",
    "L R W Y",
)
RUSSIAN_KINDS = ("а о у и е ы э", "п т к б д г", "ф в с з ш ж щ ч ц х", "м н", "л р й")


@dataclass(frozen=True, slots=True)
class Errors:
    """How a recogniser errs.

    Attributes
    ----------
    run_lengths : tuple of float
        Shares of the runs of wrong words that are one, two, three words long.
    more_words : tuple of float
        Shares of the runs that come out one word shorter, as long, and one word longer.
    replaced, dropped, added : float
        Parts of the phones of such a run.
    same_kind : float
        Part of the replaced ones that become a phone of the same kind.
    """

    run_lengths: tuple[float, ...]
    more_words: tuple[float, float, float]
    replaced: float
    dropped: float
    added: float
    same_kind: float


#: Counted and set, see above.
POCKETSPHINX = Errors((0.41, 0.15, 0.44), (0.29, 0.46, 0.25), 0.29, 0.12, 0.08, 0.45)


class Mishearing:
    """A recogniser that errs.

    Parameters
    ----------
    phones : mapping of str to sequence of str
        How each word is pronounced that may be heard.
    commonness : mapping of str to float
        How often each of them is said, up to a factor.
    kinds : sequence of str
        The kinds of phones, see :data:`ENGLISH_KINDS`.
    pronounce : callable
        The phones of a word that is not among them.
    """

    def __init__(
        self,
        phones: Mapping[str, Sequence[str]],
        commonness: Mapping[str, float],
        kinds: Sequence[str],
        pronounce: Callable[[str], Sequence[str]] = lambda word: (),
        errors: Errors = POCKETSPHINX,
    ) -> None:
        self._codes = {phone: chr(0x100 + at) for at, phone in enumerate(" ".join(kinds).split())}
        self._kind = {self._codes[phone]: [self._codes[other] for other in kind.split()] for kind in kinds
                      for phone in kind.split()}  # fmt: skip
        self._all = list(self._codes.values())
        self._coded = {word: self._encode(sounds) for word, sounds in phones.items()}
        self._words = list(self._coded)
        self._heard = list(self._coded.values())
        self._commonness = [commonness[word] for word in self._words]
        self._pronounce = pronounce
        self._errors = errors
        self._nearest = lru_cache(maxsize=1 << 16)(self._find_nearest)

    def __call__(self, sentence: str, share: float, rng: random.Random) -> str:
        """What is heard of ``sentence`` if a run of errors begins at each word with the probability ``share``."""
        said = sentence.split()
        heard: list[str] = []
        at = 0
        while at < len(said):
            length = 1
            if rng.random() < share:
                length = min(rng.choices((1, 2, 3), self._errors.run_lengths)[0], len(said) - at)
                heard += self._misheard(said[at : at + length], rng)
            else:
                heard.append(said[at])
            at += length
        return " ".join(heard)

    def share_for(self, sentences: Sequence[str], error_rate: float, seed: int = 1) -> float:
        """The share of words at which errors must begin for a word error rate, found on these sentences."""

        def rate(share: float) -> float:
            rng = random.Random(seed)
            return error_rate_of(sentences, [self(sentence, share, rng) for sentence in sentences])

        # the rate grows nearly in proportion to the share
        share = error_rate
        for _ in range(3):
            share = min(1.0, share * error_rate / rate(share))
        return share

    def phones_of(self, sentence: str) -> str:
        """The phones of a sentence, a character each."""
        return "".join(self._coded.get(word) or self._encode(self._pronounce(word)) for word in sentence.split())

    def _encode(self, sounds: Iterable[str]) -> str:
        return "".join(self._codes[sound] for sound in sounds if sound in self._codes)

    def _misheard(self, said: Sequence[str], rng: random.Random) -> list[str]:
        sound = self._with_noise(self.phones_of(" ".join(said)), rng)
        count = len(said) + rng.choices((-1, 0, 1), self._errors.more_words)[0]
        count = max(0 if len(said) == 1 and rng.random() < 0.5 else 1, min(count, max(1, len(sound) // 2)))
        if not count or not sound:
            return []
        borders = [round(len(sound) * piece / count + rng.uniform(-0.8, 0.8)) for piece in range(1, count)]
        borders = [0, *sorted(min(max(border, 1), len(sound)) for border in borders), len(sound)]
        pieces = (sound[start:end] for start, end in pairwise(borders) if end > start)
        return [self._word(piece, rng) for piece in pieces]

    def _with_noise(self, sound: str, rng: random.Random) -> str:
        errors, heard = self._errors, []
        for phone in sound:
            kind = rng.random()
            if kind < errors.replaced:
                others = self._kind[phone] if rng.random() < errors.same_kind else self._all
                heard.append(rng.choice(others))
            elif kind >= errors.replaced + errors.dropped:
                heard.append(phone)
            if rng.random() < errors.added:
                heard.append(rng.choice(self._all))
        return "".join(heard)

    def _word(self, sound: str, rng: random.Random) -> str:
        words, weights = self._nearest(sound)
        return rng.choices(words, weights)[0]

    def _find_nearest(self, sound: str) -> tuple[list[str], list[float]]:
        """The words that sound most like this, and how likely each is heard."""
        found = extract(sound, self._heard, scorer=Levenshtein.normalized_similarity, limit=6)
        words = [self._words[place] for _, _, place in found]
        weights = [similarity**6 * self._commonness[place] ** 0.3 + 1e-12 for _, similarity, place in found]
        return words, weights


def error_rate_of(said: Sequence[str], heard: Sequence[str]) -> float:
    """Word error rate: words to insert, drop or replace, as a part of the words said."""
    wrong = sum(Levenshtein.distance(one.split(), other.split()) for one, other in zip(said, heard, strict=True))
    return wrong / sum(len(one.split()) for one in said)


def count_errors(
    said: Sequence[str], heard: Sequence[str], phones_of: Callable[[str], str], kinds: Mapping[str, Sequence[str]]
) -> Errors:
    """What :class:`Errors` says of a recogniser that ``heard`` this where that was ``said``."""
    lengths: Counter[int] = Counter()
    more: Counter[int] = Counter()
    edits: Counter[str] = Counter()
    phones = same = 0
    for one, other in zip(said, heard, strict=True):
        for ours, theirs in _wrong_runs(one.split(), other.split()):
            lengths[min(len(ours), 3)] += bool(ours)
            more[min(max(len(theirs) - len(ours), -1), 1)] += 1
            true, got = phones_of(" ".join(ours)), phones_of(" ".join(theirs))
            phones += len(true)
            for edit in Levenshtein.editops(true, got):
                edits[edit.tag] += 1
                if edit.tag == "replace":
                    same += got[edit.dest_pos] in kinds[true[edit.src_pos]]
    runs, all_lengths = sum(more.values()), sum(lengths.values())
    return Errors(
        tuple(lengths[length] / all_lengths for length in (1, 2, 3)),
        (more[-1] / runs, more[0] / runs, more[1] / runs),
        edits["replace"] / phones,
        edits["delete"] / phones,
        edits["insert"] / phones,
        same / max(1, edits["replace"]),
    )


def _wrong_runs(said: list[str], heard: list[str]) -> Iterable[tuple[list[str], list[str]]]:
    """The runs of words that were heard wrong, and what was heard instead."""
    at_said = at_heard = 0
    for code in Levenshtein.opcodes(said, heard):
        if code.tag == "equal":
            if (at_said, at_heard) != (code.src_start, code.dest_start):
                yield said[at_said : code.src_start], heard[at_heard : code.dest_start]
            at_said, at_heard = code.src_end, code.dest_end
    if (at_said, at_heard) != (len(said), len(heard)):
        yield said[at_said:], heard[at_heard:]
