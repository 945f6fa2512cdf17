"""Tune the segmenter on recordings with marked speech, and print what each parameter trades for what.

    python tools/tune_vad.py [--detector silero|webrtc]

Tuned on ``bench.hearing.vad.tuning_tracks``; what is tested is apart, see there. Detectors decide once for each block,
and every setting is tried on their decisions. What is best is what has the most frames right among those settings that
raise at most 3 % false alarms in the meetings and cut at most 1 % of the words.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.hearing.vad import MEASURED, Track, counts, events_of, tuning_tracks, words_cut
from sottovoce.core.types import Mono
from sottovoce.speech.evaluation.frames import FrameCounts
from sottovoce.speech.segmenter import Segmenter, SegmenterSettings
from sottovoce.speech.vad import VoiceActivityDetector, open_vad

MOST_FALSE_ALARM, MOST_CUT = 0.03, 0.01

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RELEASES = (0.3, 0.5, 0.7)
ONSETS_MS = (30, 60, 90)
HANG_OVERS_MS = (350, 600)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--detector", choices=("silero", "webrtc"), default="silero")
    name = parser.parse_args().detector
    tracks = list(tuning_tracks())
    if not tracks:
        sys.exit("no recordings: set SOTTOVOCE_SHARED to a folder with data/speech in it")
    vad = Remembered(open_vad(name))
    print(f"{name}, {len(tracks)} recordings, {sum(len(track.audio) for track in tracks) / vad.samplerate:.0f} s")
    judge = _judge(vad, tracks)
    thresholds = THRESHOLDS if name == "silero" else (0.5,)  # WebRTC's says yes or no
    print(_row("threshold release onset_ms hang_over_ms", "right", "false", "meetings: right", "false", "words cut"))
    best: tuple[float, SegmenterSettings] | None = None
    for threshold, release, onset_ms, hang_over_ms in itertools.product(thresholds, RELEASES, ONSETS_MS, HANG_OVERS_MS):
        settings = replace(MEASURED, threshold=threshold, release=release, onset_ms=onset_ms, hang_over_ms=hang_over_ms)
        every, meetings, cut = judge(settings)
        shown = f"{threshold:9.2f} {release:7.2f} {onset_ms:8d} {hang_over_ms:12d}"
        print(_row(shown, every.accuracy, every.false_alarm, meetings.accuracy, meetings.false_alarm, cut))
        allowed = meetings.false_alarm <= MOST_FALSE_ALARM and cut <= MOST_CUT
        if allowed and (best is None or every.accuracy > best[0]):
            best = every.accuracy, settings
    print(f"best: {best[1]}" if best else "nothing is within the limits")


def _judge(
    vad: Remembered, tracks: Sequence[Track]
) -> Callable[[SegmenterSettings], tuple[FrameCounts, FrameCounts, float]]:
    def judge(settings: SegmenterSettings) -> tuple[FrameCounts, FrameCounts, float]:
        def make() -> Segmenter:
            return Segmenter(vad, settings)

        events = [events_of(make, track) for track in tracks]
        each = [counts(found, track) for found, track in zip(events, tracks, strict=True)]
        meetings = [part for part, track in zip(each, tracks, strict=True) if not track.words]
        cut = sum(words_cut(found, track) for found, track in zip(events, tracks, strict=True))
        cut /= sum(len(track.words) for track in tracks)
        return _sum(each), _sum(meetings), cut

    return judge


def _sum(parts: Iterable[FrameCounts]) -> FrameCounts:
    return sum(parts, FrameCounts())


def _row(settings: str, *values: float | str) -> str:
    return f"{settings:<42}" + "".join(
        f"{value:>16}" if isinstance(value, str) else f"{100 * value:>14.1f} %" for value in values
    )


if __name__ == "__main__":
    main()
