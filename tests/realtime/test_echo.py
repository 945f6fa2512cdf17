"""Echo on a sound card in software: what an output plays reaches the microphone later, and is taken out of it."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest

from sottovoce.app.echo import open_cleaner
from sottovoce.app.settings import Config
from sottovoce.app.two_ears import PairedEars
from sottovoce.audio.lifecycle import LifecyclePolicy
from sottovoce.audio.monitors import MonitorHost
from sottovoce.audio.recorder import Recorder
from sottovoce.core.paired import PairedBlock
from sottovoce.core.types import Mono
from sottovoce.speech.echo.ears import CleanPair, EarCleaner
from sottovoce.speech.registry import describe
from tests.support.soundcard import SoundCard

pytestmark = [
    pytest.mark.device,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(bool(describe("aec", "blend").missing), reason='pip install "sottovoce[aec]"'),
]

RATE, BLOCK_S = 16_000, 0.032

#: How much later what the output plays is heard by the microphone, as far as the sound server keeps to it (ms).
LATER_MS = 100
LEARNT_S, HEARD_S = 7.0, 10.0


class Weighed:
    """A cleaner that remembers what it was given and what it made of it."""

    def __init__(self, cleaner: EarCleaner) -> None:
        self.cleaner = cleaner
        self.given: list[Mono] = []
        self.left: list[Mono] = []

    def process(self, block: PairedBlock) -> CleanPair:
        clean = self.cleaner.process(block)
        self.given.append(block.microphone)
        self.left.append(clean.microphone)
        return clean

    def close(self) -> None:
        self.cleaner.close()


def syllables(seconds: float) -> Mono:
    noise = 0.2 * np.random.default_rng(5).standard_normal(round(seconds * RATE))
    return (noise * np.maximum(0.0, np.sin(np.arange(len(noise)) * 2 * np.pi * 3 / RATE))).astype(np.float32)


def level_db(pieces: list[Mono]) -> float:
    audio = np.concatenate(pieces)[round(LEARNT_S * RATE) :]
    return 10.0 * float(np.log10(np.mean(np.square(audio)) + 1e-12))


def test_what_the_output_plays_is_taken_out_of_the_microphone(sound_card: SoundCard) -> None:
    sound_card.listen_to("vs44")
    played = syllables(HEARD_S + 8.0)
    cleaner = open_cleaner(Config())
    assert cleaner is not None
    weighed = Weighed(cleaner)
    room = ("module-loopback", "source=vs48.monitor", "sink=vs44", f"latency_msec={LATER_MS}")
    with ExitStack() as stack:
        stack.callback(sound_card._pactl, "unload-module", sound_card._pactl("load-module", *room).strip())
        microphone = stack.enter_context(Recorder(RATE, 2, block_s=BLOCK_S))
        policy = LifecyclePolicy(stand_in=False)
        loopback = stack.enter_context(Recorder(RATE, 1, block_s=BLOCK_S, policy=policy, host=MonitorHost()))
        ears = PairedEars(microphone, loopback, None, BLOCK_S, cleaner=weighed)
        stack.callback(ears.release)
        stack.enter_context(sound_card.playing(played, RATE))
        while sum(map(len, weighed.given)) < HEARD_S * RATE:
            assert ears.read() is not None
    report = cleaner.reports["loopback"]
    assert report.delay is not None
    assert 0.02 < report.delay.seconds < 0.5
    assert report.failure == ""
    assert level_db(weighed.given) > -50.0, "the control: the echo is heard"
    assert level_db(weighed.given) - level_db(weighed.left) > 15.0
