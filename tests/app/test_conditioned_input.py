"""A microphone with a fault: it is said, and what is asked through it is heard all the same."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pytest

from sottovoce.app.demo import speak_question
from sottovoce.app.inputs import ConditionedInput
from sottovoce.core.types import Mono
from sottovoce.speech.segmenter import Segment, Segmenter
from sottovoce.speech.vad import open_vad

RATE = 16_000


class Spoken:
    """An input that gives what it was made with, in blocks of 512 frames."""

    samplerate = RATE
    realtime = False

    def __init__(self, audio: Mono) -> None:
        self._blocks = iter([audio[at : at + 512] for at in range(0, len(audio), 512)])

    def read(self) -> Mono | None:
        return next(self._blocks, None)

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def asked() -> Mono:
    """A question every four seconds, in a quiet room."""
    question = speak_question("How much does it cost to send it back?")
    padded = np.zeros(4 * RATE + len(question), np.float32)
    padded[2 * RATE : 2 * RATE + len(question)] = question
    audio = np.tile(padded, 3)
    return (audio + 3e-4 * np.random.default_rng(5).standard_normal(len(audio))).astype(np.float32)


def conditioned(audio: Mono) -> Mono:
    ear = ConditionedInput(Spoken(audio), high_pass_hz=80.0, most_gain_db=24.0)
    blocks = []
    while (block := ear.read()) is not None:
        blocks.append(block)
    return np.concatenate(blocks)


def hum(audio: Mono) -> Mono:
    at = np.arange(len(audio)) / RATE
    return audio + sum(0.05 * np.sin(2 * np.pi * 50 * number * at) / number**2 for number in (1, 2, 3, 4))


def telephone(audio: Mono) -> Mono:
    spectrum = np.fft.rfft(audio)
    frequency = np.fft.rfftfreq(len(audio), 1 / RATE)
    spectrum[(frequency > 3400) | (frequency < 300)] = 0.0
    return np.fft.irfft(spectrum, len(audio))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda audio: audio, ""),
        (lambda audio: audio + 0.1, "offset of 10 %"),
        (hum, "hums at 50 Hz"),
        (telephone, "nothing above 4 kHz"),
        (lambda audio: 0.01 * audio, ""),
        (lambda audio: np.clip(15 * audio, -1.0, 1.0), "too loud"),
    ],
    ids=["good", "offset", "hum", "telephone", "quiet", "clipped"],
)
def test_faulty_microphone_is_named_and_its_questions_are_found(
    asked: Mono, spoil: Callable[[Mono], Mono], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "sottovoce.app"):
        heard = conditioned(spoil(asked).astype(np.float32))
    messages = [record.message for record in caplog.records]
    assert [said in message for message in messages] == ([True] if said else [])
    segmenter = Segmenter(open_vad("silero"))
    found = [event for event in [*segmenter.feed(heard), *segmenter.flush()] if isinstance(event, Segment)]
    assert len(found) == 3
    period_s = len(asked) / RATE / 3
    for number, segment in enumerate(found):
        assert segment.speech_end_s == pytest.approx((number + 1) * period_s - 2.0, abs=0.4)
