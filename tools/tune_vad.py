"""Tune the segmenter on recordings with marked speech, and print what each parameter trades for what.

    python tools/tune_vad.py [--detector silero|webrtc]

Tuned on ``bench.hearing.vad.tuning_tracks``; what is tested is apart, see there. Detectors decide once for each block,
and every setting is tried on their decisions. What is best is what has the most frames right among those settings that
raise at most 3 % false alarms in the meetings and cut at most 1 % of the words. In the end each meeting is judged with
what is best for all the other recordings, dev00 among them.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.hearing.vad import MEASURED, Track, counts, events_of, meeting_tracks, tuning_tracks, words_cut
from sottovoce.core.types import Mono
from sottovoce.speech.evaluation.frames import FrameCounts
from sottovoce.speech.segmenter import Segmenter, SegmenterSettings
from sottovoce.speech.vad import LevelGate, VoiceActivityDetector, open_vad

MOST_FALSE_ALARM, MOST_CUT = 0.03, 0.01

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RELEASES = (0.3, 0.5, 0.7)
ONSETS_MS = (30, 60, 90)
HANG_OVERS_MS = (350, 600)
ABOVE_FLOOR_DB = (3.0, 6.0, 10.0)


class Remembered:
    """A detector that decides about each block once, whatever comes before it the second time."""

    def __init__(self, vad: VoiceActivityDetector) -> None:
        self.name, self.samplerate, self.blocksize = vad.name, vad.samplerate, vad.blocksize
        self._vad = vad
        self._known: dict[bytes, float] = {}

    def probability(self, block: Mono) -> float:
        key = block.tobytes()
        if key not in self._known:
            self._known[key] = self._vad.probability(block)
        return self._known[key]

    def reset(self) -> None:
        self._vad.reset()


@dataclass(frozen=True)
class Tried:
    """Settings, how many dB above the background a block has to be for the detector, and what came of each track."""

    settings: SegmenterSettings
    above_floor_db: float
    counts: tuple[FrameCounts, ...]
    cut: tuple[int, ...]

    def __str__(self) -> str:
        made = self.settings
        numbers = f"{made.threshold:9.2f} {made.release:7.2f} {made.onset_ms:8d} {made.hang_over_ms:12d}"
        return f"{numbers} {self.above_floor_db:8.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--detector", choices=("silero", "webrtc"), default="silero")
    name = parser.parse_args().detector
    tuning = list(tuning_tracks())
    if not tuning:
        sys.exit("no recordings: set SOTTOVOCE_SHARED to a folder with data/speech in it")
    tracks = [*tuning, *(track for track in meeting_tracks() if track.name not in {one.name for one in tuning})]
    vad = Remembered(open_vad(name))
    print(f"{name}, {len(tracks)} recordings, {sum(len(track.audio) for track in tracks) / vad.samplerate:.0f} s")
    print(
        _row(
            "threshold release onset_ms hang_over_ms floor_db",
            "right",
            "false",
            "meetings: right",
            "false",
            "words cut",
        )
    )
    known = {track.name for track in tuning}
    tried = []
    for settings, above_floor_db in _candidates(name):
        tried.append(_try(vad, settings, above_floor_db, tracks))
        print(_row(str(tried[-1]), *_figures(tried[-1], tracks, known)))
    best = _best(tried, tracks, known)
    print(f"best: {best}" if best else "nothing is within the limits")
    _cross_validate(tried, tracks)


def _candidates(name: str) -> Iterator[tuple[SegmenterSettings, float]]:
    thresholds = THRESHOLDS if name == "silero" else (0.5,)  # WebRTC's says yes or no
    for threshold, release, onset_ms, hang_over_ms, above_floor_db in itertools.product(
        thresholds, RELEASES, ONSETS_MS, HANG_OVERS_MS, ABOVE_FLOOR_DB
    ):
        made = replace(MEASURED, threshold=threshold, release=release, onset_ms=onset_ms, hang_over_ms=hang_over_ms)
        yield made, above_floor_db


def _try(vad: Remembered, settings: SegmenterSettings, above_floor_db: float, tracks: Sequence[Track]) -> Tried:
    def make() -> Segmenter:
        return Segmenter(vad, settings, LevelGate(above_floor_db=above_floor_db))

    events = [events_of(make, track) for track in tracks]
    found = tuple(counts(each, track) for each, track in zip(events, tracks, strict=True))
    cut = tuple(words_cut(each, track) for each, track in zip(events, tracks, strict=True))
    return Tried(settings, above_floor_db, found, cut)


def _figures(tried: Tried, tracks: Sequence[Track], names: Collection[str]) -> tuple[float, float, float, float, float]:
    """Of the tracks of these names: right and false of all, the same of the meetings, and words cut."""
    chosen = [at for at, track in enumerate(tracks) if track.name in names]
    every = _sum(tried.counts[at] for at in chosen)
    meetings = _sum(tried.counts[at] for at in chosen if not tracks[at].words)
    said = sum(len(tracks[at].words) for at in chosen)
    cut = sum(tried.cut[at] for at in chosen) / max(1, said)
    return every.accuracy, every.false_alarm, meetings.accuracy, meetings.false_alarm, cut


def _best(tried: Sequence[Tried], tracks: Sequence[Track], names: Collection[str]) -> Tried | None:
    allowed = []
    for each in tried:
        right, _, _, false_in_meetings, cut = _figures(each, tracks, names)
        if false_in_meetings <= MOST_FALSE_ALARM and cut <= MOST_CUT:
            allowed.append((right, each))
    return max(allowed, key=lambda pair: pair[0])[1] if allowed else None


def _cross_validate(tried: Sequence[Tried], tracks: Sequence[Track]) -> None:
    """Each meeting, with what is best for all the rest: what to expect of one that nothing was tuned on."""
    total = FrameCounts()
    for left_out in (at for at, track in enumerate(tracks) if not track.words):
        name = tracks[left_out].name
        best = _best(tried, tracks, {track.name for track in tracks} - {name})
        if best is None:
            print(f"{name} left out: nothing is within the limits")
            continue
        found = best.counts[left_out]
        total += found
        print(f"{name} left out: {best}  right {100 * found.accuracy:.1f} %, false {100 * found.false_alarm:.1f} %")
    print(f"left out, together: right {100 * total.accuracy:.1f} %, false {100 * total.false_alarm:.1f} %")


def _sum(parts: Iterable[FrameCounts]) -> FrameCounts:
    return sum(parts, FrameCounts())


def _row(settings: str, *values: float | str) -> str:
    return f"{settings:<51}" + "".join(
        f"{value:>16}" if isinstance(value, str) else f"{100 * value:>14.1f} %" for value in values
    )


if __name__ == "__main__":
    main()
