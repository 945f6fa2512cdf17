"""Words of the microphone that are the loopback's: the same at the same time, and so an echo that was left. Pure.

Two recognisers hear the same differently, and one of them through a room, so that words count as the same that are
alike, and so do misheard words between them. Who repeats what was said does so later, and is not taken for an echo.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EchoLimits:
    """When words are an echo.

    Attributes
    ----------
    apart_s : float
        Words that were said further apart are not the same.
    alike : float
        Likeness of letters, 0 to 1, from which two words are the same.
    least : int
        Words in a row, each the same or misheard between two that are, that make an echo; an utterance of fewer is one
        if all of it is.
    misheard : int
        Words that may be misheard between two that are the same.
    mostly : float
        Share of the words of an utterance from which it is dropped, except for what the wearer said besides.
    besides : int
        Words in a row that are something said besides; fewer are what is left of misheard words.
    """

    apart_s: float = 1.5
    alike: float = 0.7
    least: int = 3
    misheard: int = 2
    mostly: float = 0.6
    besides: int = 3


@dataclass(frozen=True, slots=True)
class Said:
    """A text, and from when to when it was said, in seconds of a clock that both sides share."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class WithoutEcho:
    """What is left of a text, as it was written, and how many of its words were an echo."""

    text: str
    dropped: int


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    plain: str
    at_s: float


def without_echo(heard: Said, played: Sequence[Said], limits: EchoLimits | None = None) -> WithoutEcho:
    """What somebody said at the microphone, less what came from the loudspeaker.

    Nothing is known of when a word was said within its utterance, so that words lie evenly in it, by their letters.

    Parameters
    ----------
    heard : Said
        What was heard at the microphone.
    played : sequence of Said
        What was heard of the loopback, in the order of time.
    limits : EchoLimits, optional
        What an echo is.

    Examples
    --------
    >>> played = [Said("what does it cost to send it back", 10.0, 12.0)]
    >>> without_echo(Said("does it cost to sent it back", 10.4, 12.2), played)
    WithoutEcho(text='', dropped=7)
    >>> without_echo(Said("What does it cost? I have to look.", 12.5, 14.5), played)
    WithoutEcho(text='What does it cost? I have to look.', dropped=0)
    """
    limits = limits or EchoLimits()
    words = _words([heard])
    pairs = _same(words, _words(each for each in played if _meet(each, heard)), limits)
    echoed = _runs(pairs, len(words), limits)
    if sum(echoed) >= limits.mostly * len(words):
        echoed = _without_scraps(echoed, limits.besides)
    if not any(echoed):
        return WithoutEcho(heard.text, 0)
    left = " ".join(word.text for word, gone in zip(words, echoed, strict=True) if not gone)
    return WithoutEcho(left, sum(echoed))


def _meet(one: Said, other: Said) -> bool:
    """Whether both were said at the same time, if only in part."""
    return min(one.end_s, other.end_s) > max(one.start_s, other.start_s)


def _words(said: Iterable[Said]) -> list[_Word]:
    found = []
    for each in said:
        texts = each.text.split()
        letters, passed = sum(map(len, texts)), 0.0
        for text in texts:
            at_s = each.start_s + (each.end_s - each.start_s) * (passed + len(text) / 2) / letters
            found.append(_Word(text, "".join(filter(str.isalnum, text.casefold().replace("ё", "е"))), at_s))
            passed += len(text)
    return found


def _same(heard: Sequence[_Word], played: Sequence[_Word], limits: EchoLimits) -> list[tuple[int, int]]:
    """Which words are which, in the order of both, so that as much as can be is the same.

    The heaviest common subsequence, each pair weighing as much as its words are alike.
    """
    from rapidfuzz.distance import Indel

    def likeness(word: _Word, other: _Word) -> float:
        if not word.plain or abs(word.at_s - other.at_s) > limits.apart_s:
            return 0.0
        return Indel.normalized_similarity(word.plain, other.plain, score_cutoff=limits.alike)

    best = [[0.0] * (len(played) + 1) for _ in range(len(heard) + 1)]
    for row in range(len(heard)):
        for column in range(len(played)):
            matched = best[row][column] + likeness(heard[row], played[column])
            best[row + 1][column + 1] = max(best[row][column + 1], best[row + 1][column], matched)
    pairs = []
    row, column = len(heard), len(played)
    while row and column:
        if best[row][column] == best[row - 1][column]:
            row -= 1
        elif best[row][column] == best[row][column - 1]:
            column -= 1
        else:
            row, column = row - 1, column - 1
            pairs.append((row, column))
    return pairs[::-1]


def _runs(pairs: Sequence[tuple[int, int]], words: int, limits: EchoLimits) -> list[bool]:
    """Which words are part of an echo: those that are the same, and the misheard ones between them."""
    echoed = [False] * words
    runs: list[list[tuple[int, int]]] = []
    for row, column in pairs:
        last = runs[-1][-1] if runs else None
        if last is not None and row - last[0] <= limits.misheard + 1 and column - last[1] <= 2 * limits.misheard + 1:
            runs[-1].append((row, column))
        else:
            runs.append([(row, column)])
    for run in runs:
        if len(run) >= min(limits.least, words):
            for row in range(run[0][0], run[-1][0] + 1):
                echoed[row] = True
    return echoed


def _without_scraps(echoed: Sequence[bool], besides: int) -> list[bool]:
    """The same, with too few words in a row that are no echo taken for a part of it."""
    found = list(echoed)
    start = 0
    for at in range(len(found) + 1):
        if at == len(found) or echoed[at]:
            if at - start < besides:
                found[start:at] = [True] * (at - start)
            start = at + 1
    return found
