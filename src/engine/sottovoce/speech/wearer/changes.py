"""Where in a segment the wearer's voice begins and ends, and where to cut: in a pause, never in a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sottovoce.core.types import Mono
from sottovoce.speech.embedding._frontend import HOP_FRAMES, HOP_S, speech_steps
from sottovoce.speech.embedding.base import Embedding
from sottovoce.speech.embedding.builtin import BuiltinEmbedder

#: Tells the log-odds that an embedding is of the wearer.
Judge = Callable[[Embedding], float]

#: A window of so many hops slides over the segment.
_HOP_S, _HOPS = 0.25, 6
#: No window says more than this, either way (log-odds).
_MOST_EVIDENCE = 4.0
#: How much evidence has to gather on both sides of a change.
_CHANGE_COST = 5.0
#: What is shorter (s) belongs to what is beside it.
LEAST_PART_S = 0.8
#: How far from where the voices seem to change the best pause may be (s).
_REACH_S = 1.4
#: What is shorter (s) lies within a word.
_LEAST_PAUSE_S = 0.06
#: A pause is looked for in the mean level of so many steps.
_SMOOTH_STEPS = 9


def find_changes(audio: Mono, embedder: BuiltinEmbedder, judge: Judge) -> list[int]:
    """Frames at which to cut a segment so that each part is of the wearer or of somebody else; empty for one voice.

    Windows are judged one by one; the best way through them, on which a change must pay, gives the places (Viterbi
    1967); each is moved to the middle of the pause near it on whose sides the voices differ most.
    """
    windows = embedder.embed_windows(audio, _HOP_S, _HOPS)
    odds = [
        0.0 if window is None else float(np.clip(judge(window), -_MOST_EVIDENCE, _MOST_EVIDENCE)) for window in windows
    ]
    if len(odds) < 2 or max(odds) < 1.0 or min(odds) > -1.0:
        return []
    hops = _best_changes(_evidence(odds))
    if not hops:
        return []
    speech, level_db = speech_steps(audio)
    places = [
        _best_pause(_pauses(level_db, speech, round(hop * _HOP_S / HOP_S)), audio, embedder, judge) for hop in hops
    ]
    cuts = sorted({place * HOP_FRAMES for place in places})
    return _without_slivers(cuts, len(audio), round(LEAST_PART_S / HOP_S) * HOP_FRAMES)


def _evidence(odds: Sequence[float]) -> npt.NDArray[np.float64]:
    """What all windows over a hop say of it together; one window is one piece of evidence, however many hops it has."""
    total = np.zeros(len(odds) + _HOPS - 1)
    count = np.zeros(len(total))
    for at, value in enumerate(odds):
        total[at : at + _HOPS] += value
        count[at : at + _HOPS] += 1.0
    return total / count * 2.0 / _HOPS


def _best_changes(evidence: npt.NDArray[np.float64]) -> list[int]:
    """Hops at which the likelier of two voices changes."""
    own, other = evidence[0] / 2.0, -evidence[0] / 2.0
    came: list[tuple[bool, bool]] = []
    for value in evidence[1:]:
        own_stays, other_stays = own >= other - _CHANGE_COST, other >= own - _CHANGE_COST
        own, other = (
            (own if own_stays else other - _CHANGE_COST) + value / 2.0,
            (other if other_stays else own - _CHANGE_COST) - value / 2.0,
        )
        came.append((own_stays, other_stays))
    is_own = own >= other
    changes = []
    for at in range(len(came), 0, -1):
        stays = came[at - 1][0 if is_own else 1]
        if not stays:
            changes.append(at)
            is_own = not is_own
    return changes[::-1]


def _pauses(level_db: npt.NDArray[np.float32], speech: npt.NDArray[np.bool_], near: int) -> list[int]:
    """The middles (steps) of the silences near ``near``, or the quietest step if there is none."""
    reach = round(_REACH_S / HOP_S)
    first, last = max(1, near - reach), min(len(level_db) - 1, near + reach)
    silent = np.flatnonzero(~speech[first:last]) + first
    runs = np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1)
    middles = [int(run[len(run) // 2]) for run in runs if len(run) * HOP_S >= _LEAST_PAUSE_S]
    if middles:
        return middles
    smooth = np.convolve(level_db[first:last], np.ones(_SMOOTH_STEPS) / _SMOOTH_STEPS, mode="same")
    return [first + int(np.argmin(smooth))]


def _best_pause(pauses: Sequence[int], audio: Mono, embedder: BuiltinEmbedder, judge: Judge) -> int:
    """The pause on whose sides the voices differ most."""
    if len(pauses) == 1:
        return pauses[0]
    length = round(_HOPS * _HOP_S / HOP_S) * HOP_FRAMES

    def contrast(pause: int) -> float:
        at = pause * HOP_FRAMES
        sides = [embedder.embed(audio[max(0, at - length) : at]), embedder.embed(audio[at : at + length])]
        before, after = (0.0 if side is None else judge(side) for side in sides)
        return abs(before - after)

    return max(pauses, key=contrast)


def _without_slivers(cuts: Sequence[int], frames: int, least: int) -> list[int]:
    kept: list[int] = []
    edges = [0, *cuts, frames]
    for before, cut in pairwise(edges):
        if cut == frames:
            break
        if cut - max(before, kept[-1] if kept else 0) >= least and frames - cut >= least:
            kept.append(cut)
    return kept
