"""Faults of a microphone: each is told once, and a good microphone is told nothing."""

from __future__ import annotations

import numpy as np
import pytest

from sottovoce.app.demo import speak_question
from sottovoce.core.types import Mono
from sottovoce.speech.microphone import Fault, MicrophoneCheck
from tests.support.shared import manifest, shared_data

RATE = 16_000


@pytest.fixture(scope="module")
def speech() -> Mono:
    """Ten seconds of a voice in a quiet room."""
    asked = speak_question("How much does it cost to send it back?")
    room = (3e-4 * np.random.default_rng(1).standard_normal(10 * RATE)).astype(np.float32)
    return room + 0.5 * np.resize(asked, len(room)).astype(np.float32)


def faults(audio: Mono, cut: int = 512) -> list[Fault]:
    check = MicrophoneCheck(RATE)
    return [fault for at in range(0, len(audio), cut) for fault in check.hear(audio[at : at + cut])]


def hum(seconds: float, hz: float, level: float) -> Mono:
    at = np.arange(round(seconds * RATE)) / RATE
    lines = sum(np.sin(2 * np.pi * hz * number * at) / number for number in (1, 2, 3, 5))
    return (level * lines).astype(np.float32)


def telephone(audio: Mono) -> Mono:
    spectrum = np.fft.rfft(audio)
    spectrum[np.fft.rfftfreq(len(audio), 1 / RATE) > 3800] = 0.0
    return np.fft.irfft(spectrum, len(audio)).astype(np.float32)


def test_good_microphone_has_no_faults(speech: Mono) -> None:
    assert faults(speech) == []


@pytest.mark.data
def test_recordings_are_not_called_faulty() -> None:
    import soundfile

    for kind in ("librivox_austen", "ami", "libri_test_other", "speechbrain"):
        for row in manifest(kind):
            audio, _ = soundfile.read(shared_data() / "speech" / row["file"], dtype="float32")
            assert faults(audio) == [], row["file"]


@pytest.mark.parametrize(
    ("kind", "spoil", "said"),
    [
        ("offset", lambda speech: speech + np.float32(0.05), "an offset of 5 %"),
        ("hum", lambda speech: speech * 0.1 + hum(10.0, 50, 0.03), "hums at 50 Hz"),
        ("hum", lambda speech: speech * 0.1 + hum(10.0, 60, 0.03), "hums at 60 Hz"),
        ("telephone", telephone, "nothing above 4 kHz"),
        ("clipped", lambda speech: np.clip(20 * speech, -1, 1), "too loud"),
        ("mute", np.zeros_like, "nothing but silence"),
    ],
)
def test_fault_is_told_once_with_advice(kind: str, spoil: object, said: str, speech: Mono) -> None:
    spoiled = spoil(speech).astype(np.float32)  # type: ignore[operator]
    (fault,) = faults(np.tile(spoiled, 3))
    assert fault.kind == kind
    assert said in fault.problem
    assert fault.advice


def test_pause_of_digital_silence_is_no_mute_microphone(speech: Mono) -> None:
    assert faults(np.concatenate([speech, np.zeros(60 * RATE, np.float32), speech])) == []
