"""Where speech begins and ends: meetings as people have marked them, sentences in noise, words cut at borders.

The segmenter decides, with the settings that are shipped, except that what is too short to be a question counts too.
The numbers in it were tuned by ``tools/tune_vad.py`` on :func:`tuning_tracks`: the meetings trn01 and trn02, and
librivox_austen and the first speaker of speechbrain with noise1 and noise2. Everything here is measured on other
recordings: the meeting dev00, and libri_test_other with noise3, whose words are marked by forced alignment of the clean
recordings. ``vad_*_ami_pct`` are those of all three meetings, as in earlier figures; ``_ami_test_`` of dev00 alone.

``_low`` and ``_high`` are ends of 95 % intervals (recordings drawn anew; with a single one, Wilson's).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.recordings import (
    RATE,
    aligned_words,
    bridged,
    in_noise,
    marked_turns,
    marked_words,
    recordings,
)
from sottovoce.core.types import Mono
from sottovoce.speech.evaluation.frames import FrameCounts, Span, count_frames, spans_of
from sottovoce.speech.evaluation.intervals import bootstrap, wilson
from sottovoce.speech.segmenter import Segment, Segmenter, SegmenterEvent, SegmenterSettings
from sottovoce.speech.vad import VadName, open_vad

TARGETS = {
    "vad_accuracy_ami_pct": (">=", 90.0),
    "vad_false_alarm_ami_pct": ("<=", 3.0),
    "vad_accuracy_5db_pct": (">=", 91.0),
}

#: Every block counts, and short words too.
MEASURED = replace(SegmenterSettings(), min_segment_ms=0)

Make = Callable[[], Segmenter]


@dataclass(frozen=True, slots=True)
class Track:
    """What is heard, where somebody speaks in it, and where each word lies, if that is known."""

    name: str
    audio: Mono
    speech: list[Span]
    words: list[Span]


def run(quick: bool) -> dict[str, float]:
    """Measure the detectors that are here; nothing without the recordings."""
    meetings = {track.name: track for track in meeting_tracks()}
    if not meetings:
        return {}
    noisy = list(test_tracks(5.0))[:: 5 if quick else 1]
    clean = list(test_tracks(None))[:: 5 if quick else 1]
    figures: dict[str, float] = {}
    for name, prefix in (("silero", "vad"), ("webrtc", "webrtc_vad")):
        make = maker(name)
        figures |= _measured(prefix, "ami", make, list(meetings.values()))
        figures |= _measured(prefix, "ami_test", make, [meetings["dev00"]])
        figures |= _measured(prefix, "5db", make, noisy)
        figures |= _measured(prefix, "clean", make, clean)
        figures[f"{prefix}_us_per_frame"] = _us_per_decision(name, meetings["dev00"].audio)
        figures[f"{prefix}_ms_per_s"] = _ms_per_s(make, meetings["dev00"].audio)
    return figures


def maker(name: VadName, settings: SegmenterSettings = MEASURED) -> Make:
    """Makes segmenters with this detector."""
    return lambda: Segmenter(open_vad(name), settings)


def meeting_tracks() -> list[Track]:
    """The three meetings, as people have marked who speaks when."""
    return [Track(meeting.name, meeting.audio, marked_turns(meeting), []) for meeting in recordings("ami")]


def tuning_tracks() -> Iterator[Track]:
    """What parameters are tuned on."""
    yield from (track for track in meeting_tracks() if track.name != "dev00")
    noises = [noise for noise in recordings("noise") if noise.name in ("noise1", "noise2")]
    read = [(one, marked_words(one)) for one in recordings("librivox_austen")]
    said = [one for one in recordings("speechbrain") if one.speaker == "sb-spk1"]
    read += [(one, words) for one, words in zip(said, aligned_words(said), strict=True) if words]
    for number, (one, words) in enumerate(read):
        noise = noises[number % len(noises)].audio
        for snr_db in (40.0, 10.0, 5.0):
            audio, marks = in_noise(one, words, noise, snr_db)
            yield Track(f"{one.name} {snr_db:g} dB", audio, bridged(marks), marks)


def test_tracks(snr_db: float | None) -> Iterator[Track]:
    """Read sentences of five speakers; in noise that nothing was tuned on, or almost none."""
    read = recordings("libri_test_other")
    noise = [one.audio for one in recordings("noise") if one.name == "noise3"]
    for number, (one, words) in enumerate(zip(read, aligned_words(read), strict=True)):
        if words:
            over = np.roll(noise[0], number * RATE)
            audio, marks = in_noise(one, words, over, 40.0 if snr_db is None else snr_db)
            yield Track(one.name, audio, bridged(marks), marks)


def events_of(make: Make, track: Track) -> list[SegmenterEvent]:
    """What a segmenter says of a track."""
    segmenter = make()
    return [*segmenter.feed(track.audio), *segmenter.flush()]


def counts(events: Sequence[SegmenterEvent], track: Track) -> FrameCounts:
    """Frames of a track by what they are and what they were taken for."""
    return count_frames(track.speech, spans_of(events), len(track.audio) / RATE)


def words_cut(events: Sequence[SegmenterEvent], track: Track, least_s: float = 0.03) -> int:
    """Words of which more than ``least_s`` is in no segment's audio, or that a border between two segments divides."""
    kept = [(event.start_s, event.end_s) for event in events if isinstance(event, Segment)]
    return sum(
        not any(start_s <= word[0] + least_s and word[1] - least_s <= end_s for start_s, end_s in kept)
        for word in track.words
    )


def _measured(prefix: str, name: str, make: Make, tracks: Sequence[Track]) -> dict[str, float]:
    events = [events_of(make, track) for track in tracks]
    parts = [counts(found, track) for found, track in zip(events, tracks, strict=True)]
    figures = _frames(f"{prefix}_{{}}_{name}", parts)
    if any(track.words for track in tracks):
        cut = sum(words_cut(found, track) for found, track in zip(events, tracks, strict=True))
        figures |= _words(f"{prefix}_words_cut_{name}", cut, sum(len(track.words) for track in tracks))
    return figures


def _frames(name: str, parts: Sequence[FrameCounts]) -> dict[str, float]:
    whole = sum(parts, FrameCounts())
    right = bootstrap([(part.right, part.total) for part in parts])
    false = bootstrap([(part.false, part.silence) for part in parts])
    accuracy, alarm = name.format("accuracy"), name.format("false_alarm")
    return {
        f"{accuracy}_pct": 100.0 * whole.accuracy,
        f"{accuracy}_low_pct": 100.0 * right[0],
        f"{accuracy}_high_pct": 100.0 * right[1],
        f"{accuracy}_frames": float(whole.total),
        f"{alarm}_pct": 100.0 * whole.false_alarm,
        f"{alarm}_low_pct": 100.0 * false[0],
        f"{alarm}_high_pct": 100.0 * false[1],
        f"{alarm}_frames": float(whole.silence),
    }


def _words(name: str, cut: int, said: int) -> dict[str, float]:
    low, high = wilson(cut, said)
    return {
        f"{name}_pct": 100.0 * cut / said,
        f"{name}_low_pct": 100.0 * low,
        f"{name}_high_pct": 100.0 * high,
        f"{name}_words": float(said),
    }


def _us_per_decision(name: VadName, audio: Mono) -> float:
    """Median time of one decision of the detector."""
    vad = open_vad(name)
    spent_ns = []
    for at in range(0, len(audio) - vad.blocksize, vad.blocksize):
        block = audio[at : at + vad.blocksize]
        start_ns = time.perf_counter_ns()
        vad.probability(block)
        spent_ns.append(time.perf_counter_ns() - start_ns)
    return float(np.median(spent_ns)) / 1e3


def _ms_per_s(make: Make, audio: Mono) -> float:
    """Time that all of segmenting takes for a second of a meeting."""
    segmenter = make()
    start_s = time.perf_counter()
    segmenter.feed(audio)
    return 1e3 * (time.perf_counter() - start_s) * RATE / len(audio)
