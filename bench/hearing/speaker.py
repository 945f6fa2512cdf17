"""Own or other voice: how often it is mistaken, with which certainty, and in what time.

Recordings, none of which the embedding was trained on (that is ``speaker_background``, and its calibration too):

- for testing: ``speech/libri_test_other``, five speakers with ten sentences each. Five sentences of a speaker are
  enrolled, in several draws; the other five, and all ten of each other speaker, are cut into segments of 3 s or 1 s.
- for tuning: ``speech/fsdd`` (spoken digits; reported here as ``speaker_eer_digits_pct``).

The changed channel is a room by mirror images (``bench/rooms.py``), a microphone with another tilt, and the noise of
``speech/noise`` at 15 dB, none of which the training has: its rooms are decaying noise, its noise random numbers or
other voices. The voice is enrolled as it was recorded.

Three candidates of the embedding were compared by the test speakers, so the figures flatter it a little.

An equal error rate has ``_low`` and ``_high`` beside it: 95 % of 500 bootstrap draws of the speakers, and of each one's
sentences, and how many comparisons it comes from.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from bench.rooms import image_room
from sottovoce.core.types import Mono
from sottovoce.speech.embedding.base import Embedding, probability
from sottovoce.speech.embedding.builtin import BuiltinEmbedder
from sottovoce.speech.evaluation.trials import Trial, curve_of, equal_error_interval
from sottovoce.speech.wearer.enrolment import clip_vectors
from sottovoce.speech.wearer.verifier import EnrolledVoice, VerifierSettings

TARGETS = {
    "speaker_eer_pct": ("<=", 0.5),
    "speaker_eer_changed_channel_pct": ("<=", 2.5),
    "speaker_eer_1s_pct": ("<=", 2.0),
    "speaker_ms": ("<=", 5.0),
}

RATE = 16_000
ENROLLED = 5
SNR_DB = 15.0

Change = Callable[[Mono, int], Mono]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One recording."""

    speaker: str
    name: str
    audio: Mono


def run(quick: bool) -> dict[str, float]:
    """Measure on the recordings, if they are here; time is measured anyway."""
    figures = {"speaker_ms": _time_ms(20 if quick else 100)}
    sentences = list(_sentences("libri_test_other"))
    if not sentences:
        return figures
    draws = 3 if quick else 12
    rooms = _changes()
    cases: list[tuple[str, float, Change | None]] = [
        ("speaker_eer", 3.0, None),
        ("speaker_eer_changed_channel", 3.0, rooms),
        ("speaker_eer_1s", 1.0, None),
        ("speaker_eer_1s_changed_channel", 1.0, rooms),
    ]
    for name, length_s, change in cases:
        comparisons = compare(sentences, length_s, change, draws)
        figures |= _figures(name, comparisons)
        if name in ("speaker_eer", "speaker_eer_changed_channel"):
            figures |= _verdicts(name.replace("_eer", ""), comparisons)
    figures |= _figures("speaker_eer_digits", compare(_digits(), 10.0, None, draws))
    return figures


def compare(sentences: Sequence[Sentence], length_s: float, change: Change | None, draws: int) -> list[Trial]:
    """Every segment with every enrolled voice, for several draws of what is enrolled."""
    embedder = BuiltinEmbedder()
    whole = {sentence.name: clip_vectors([sentence.audio], embedder) for sentence in sentences}
    heard: dict[str, list[Embedding]] = {}
    for number, sentence in enumerate(sentences):
        audio = sentence.audio if change is None else change(sentence.audio, number)
        found = [embedder.embed(segment) for segment in _segments(audio, length_s)]
        heard[sentence.name] = [embedding for embedding in found if embedding is not None]
    rng = np.random.default_rng(3)
    comparisons = []
    for _ in range(draws):
        for speaker in sorted({sentence.speaker for sentence in sentences}):
            own = [sentence.name for sentence in sentences if sentence.speaker == speaker]
            enrolled = set(rng.permutation(own)[:ENROLLED])
            voice = EnrolledVoice(
                np.concatenate([whole[name] for name in sorted(enrolled) if len(whole[name])]), embedder
            )
            comparisons += [
                Trial(voice.log_odds(embedding), speaker, sentence.speaker, sentence.name)
                for sentence in sentences
                if sentence.name not in enrolled
                for embedding in heard[sentence.name]
            ]
    return comparisons


def _figures(name: str, comparisons: Sequence[Trial]) -> dict[str, float]:
    low, high = equal_error_interval(comparisons)
    own = sum(comparison.own for comparison in comparisons)
    return {
        f"{name}_pct": 100.0 * curve_of(comparisons).equal_error_rate,
        f"{name}_low": 100.0 * low,
        f"{name}_high": 100.0 * high,
        f"{name}_own_trials": own,
        f"{name}_other_trials": len(comparisons) - own,
    }


def _verdicts(name: str, comparisons: Sequence[Trial]) -> dict[str, float]:
    """What the wearer meets: verdicts at the certainty that is the default."""
    certainty = VerifierSettings().certainty
    chances = np.array([probability(comparison.score) for comparison in comparisons])
    own = np.array([comparison.own for comparison in comparisons])
    unsure = (chances < certainty) & (chances > 1.0 - certainty)
    return {
        f"{name}_own_called_other_pct": 100.0 * float((chances[own] <= 1.0 - certainty).mean()),
        f"{name}_other_called_own_pct": 100.0 * float((chances[~own] >= certainty).mean()),
        f"{name}_own_unsure_pct": 100.0 * float(unsure[own].mean()),
        f"{name}_other_unsure_pct": 100.0 * float(unsure[~own].mean()),
    }


def _time_ms(rounds: int) -> float:
    """Median processor time of a verdict on 3 s: other work on the machine does not count."""
    rng = np.random.default_rng(5)
    at_s = np.arange(3 * RATE) / RATE
    audio = np.asarray(0.1 * np.sin(2 * np.pi * 140 * at_s) * (np.sin(8 * at_s) > -0.5), np.float32)
    audio += 0.003 * rng.standard_normal(len(audio)).astype(np.float32)
    embedder = BuiltinEmbedder()
    first = embedder.embed(audio)
    assert first is not None
    voice = EnrolledVoice(first.vector[None], embedder)
    spent = []
    for _ in range(rounds):
        began = time.thread_time()
        embedding = embedder.embed(audio)
        assert embedding is not None
        voice.log_odds(embedding)
        spent.append(1000.0 * (time.thread_time() - began))
    return float(np.median(spent))


def _segments(audio: Mono, length_s: float) -> Iterator[Mono]:
    frames = int(length_s * RATE)
    if length_s >= 10.0:  # digits: all of it
        yield audio
        return
    for start in range(0, len(audio) - frames + 1, frames):
        yield audio[start : start + frames]


def _changes() -> Change:
    """One of four rooms, three noises and two microphones, by the number of the sentence."""
    rooms = [
        image_room((4.0, 3.2, 2.6), (1.2, 1.5, 1.4), (2.3, 1.8, 1.2), 0.82),
        image_room((6.5, 4.8, 2.9), (2.0, 3.1, 1.5), (3.4, 2.2, 1.1), 0.86),
        image_room((3.1, 2.4, 2.4), (1.0, 0.9, 1.5), (2.2, 1.6, 1.3), 0.75),
        image_room((9.0, 7.0, 3.4), (4.1, 3.3, 1.6), (5.5, 4.6, 1.2), 0.88),
    ]
    noises = [audio for _, audio in _read("noise")]

    def change(audio: Mono, number: int) -> Mono:
        room, noise = rooms[number % len(rooms)], noises[number % len(noises)]
        size = 1 << (len(audio) + len(room) - 1).bit_length()
        frequencies = np.maximum(np.fft.rfftfreq(size, 1.0 / RATE), 60.0)
        tilt = (frequencies / 1000.0) ** (0.35 if number % 2 else -0.35)
        wet = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(room, size) * tilt, size)[: len(audio)]
        around = np.resize(np.roll(noise, -4001 * number), len(wet))
        wet = wet + around * (wet.std() / (around.std() + 1e-9)) * 10.0 ** (-SNR_DB / 20.0)
        return np.asarray(0.1 * wet / wet.std(), np.float32)

    return change


def _digits() -> list[Sentence]:
    """Three spoken digits at a time, in their order."""
    found: dict[str, list[Mono]] = {}
    for row, audio in _read("fsdd"):
        found.setdefault(row["speaker"], []).append(audio)
    return [
        Sentence(speaker, f"{speaker}-{at}", np.concatenate(digits[at : at + 3]))
        for speaker, digits in found.items()
        for at in range(0, len(digits) - 2, 3)
    ]


def _sentences(kind: str) -> Iterator[Sentence]:
    for row, audio in _read(kind):
        yield Sentence(row["speaker"], row["file"], audio)


def _read(kind: str) -> Iterator[tuple[dict[str, str], Mono]]:
    root = Path(os.environ.get("SOTTOVOCE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    folder = root / "data" / "speech"
    if not (folder / "MANIFEST.csv").exists():
        return
    with (folder / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["file"].startswith(f"{kind}/"):
                yield row, soundfile.read(folder / row["file"], dtype="float32")[0]
