"""Noise suppression: whether words and speech are found better with it, in noise of 5 dB.

Sentences of ``libri_test_other`` by 2609, 3080 and 3331 with noise3, which nothing was tuned on; nothing is tuned here,
either: the default of ``audio.noise_suppression`` was chosen by these figures. Every level hears the same.

``ns_wer_LEVEL_pct``: words wrong, by pocketsphinx with no question expected; ``ns_wer_gain_LEVEL_pct``: how many points
fewer than without, with ``_low`` and ``_high`` ends of a 95 % interval (sentences drawn anew). ``ns_vad_LEVEL_pct``:
frames judged right; ``ns_vad_false_LEVEL_pct``: of the silent ones, those taken for speech.
``ns_us_per_10ms``: time of a block, median.
"""

from __future__ import annotations

import time

import numpy as np

from bench.calls import TESTING
from bench.hearing.vad import MEASURED, Track, test_tracks
from bench.recordings import RATE, recordings
from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.asr.pocketsphinx import PocketsphinxRecognizer
from sottovoce.speech.evaluation.frames import FrameCounts, count_frames, spans_of
from sottovoce.speech.evaluation.intervals import bootstrap
from sottovoce.speech.evaluation.words import WordErrors, word_errors
from sottovoce.speech.noise import NoiseLevel, NoiseSuppressor
from sottovoce.speech.segmenter import Segmenter
from sottovoce.speech.vad import open_vad

TARGETS: dict[str, tuple[str, float]] = {}

LEVELS: tuple[NoiseLevel | None, ...] = (None, "low", "moderate", "high", "highest")

#: Silence before a sentence that a suppressor learns the noise in (s).
_LEARNING_S = 1.5


def run(quick: bool) -> dict[str, float]:
    """Measure; nothing without the recordings or the library."""
    try:
        NoiseSuppressor(RATE, "low")
    except ImportError:
        return {}
    said = {one.name: one.text for one in recordings("libri_test_other") if one.speaker in TESTING}
    tracks = [track for track in test_tracks(5.0) if track.name in said][:: 6 if quick else 2]
    if not tracks:
        return {}
    recognizer = PocketsphinxRecognizer()
    recognizer.warm()
    figures: dict[str, float] = {"ns_us_per_10ms": _us_per_10ms(tracks[0].audio), "ns_sentences": float(len(tracks))}
    before: list[WordErrors] = []
    for level in LEVELS:
        name, errors, frames = level or "off", [], FrameCounts()
        for track in tracks:
            audio = track.audio if level is None else suppressed(track.audio, level)
            spoken = audio[round((_LEARNING_S - 0.3) * RATE) :]
            errors.append(word_errors(said[track.name], recognizer.transcribe(spoken, CancelToken()).text))
            frames += _frames(track, audio)
        whole = sum(errors, WordErrors())
        figures[f"ns_wer_{name}_pct"] = 100.0 * whole.wrong / whole.said
        figures[f"ns_vad_{name}_pct"] = 100.0 * frames.accuracy
        figures[f"ns_vad_false_{name}_pct"] = 100.0 * frames.false_alarm
        if level is None:
            before = errors
            continue
        parts = [(float(b.wrong - a.wrong), float(b.said)) for b, a in zip(before, errors, strict=True)]
        low, high = bootstrap(parts)
        figures[f"ns_wer_gain_{name}_pct"] = 100.0 * sum(more for more, _ in parts) / whole.said
        figures |= {f"ns_wer_gain_{name}_low_pct": 100.0 * low, f"ns_wer_gain_{name}_high_pct": 100.0 * high}
    recognizer.close()
    return figures


def suppressed(audio: Mono, level: NoiseLevel) -> Mono:
    """With less noise, and as long."""
    suppressor = NoiseSuppressor(RATE, level)
    out = suppressor.process(audio)
    return np.concatenate([out, suppressor.process(np.zeros(len(audio) - len(out), np.float32))])


def _frames(track: Track, audio: Mono) -> FrameCounts:
    segmenter = Segmenter(open_vad("auto"), MEASURED)
    events = [*segmenter.feed(audio), *segmenter.flush()]
    return count_frames(track.speech, spans_of(events), len(audio) / RATE)


def _us_per_10ms(audio: Mono) -> float:
    suppressor, times = NoiseSuppressor(RATE, "low"), []
    for at in range(0, len(audio), 512):
        before = time.perf_counter()
        suppressor.process(audio[at : at + 512])
        times.append(1e6 * (time.perf_counter() - before) / 3.2)
    return float(np.median(times))
