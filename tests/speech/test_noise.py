"""Noise suppression: steady noise gets weaker, a voice stays in its place, and a library that fails is gone without."""

from __future__ import annotations

import logging
import sys

import numpy as np
import pytest

from sottovoce.app.demo import speak_question
from sottovoce.core.errors import BackendUnavailableError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.noise import NoiseSuppressor
from sottovoce.speech.vad import level_dbfs

RATE = 16_000

pytest.importorskip("pywebrtc_audio", reason='pip install "sottovoce[aec]"')


def hiss(seconds: float, level: float, rng: np.random.Generator) -> Mono:
    return (level * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


def test_noise_gets_weaker_and_more_so_at_a_higher_level(rng: np.random.Generator) -> None:
    noise = hiss(4.0, 0.01, rng)
    left = [
        level_dbfs(NoiseSuppressor(RATE, level).process(noise)[2 * RATE :]) for level in ("low", "moderate", "high")
    ]  # type: ignore[arg-type]
    before = level_dbfs(noise[2 * RATE :])
    assert before - left[0] > 3.0
    assert left[0] - left[1] > 3.0
    assert left[1] - left[2] > 3.0


def test_voice_stays_where_it_was(rng: np.random.Generator) -> None:
    asked = speak_question("How much does it cost to send it back?")
    left = NoiseSuppressor(RATE, "low").process(asked)
    assert np.corrcoef(asked[: len(left)], left)[0, 1] > 0.98


def test_result_does_not_depend_on_how_the_stream_is_cut(rng: np.random.Generator) -> None:
    audio = hiss(1.0, 0.01, rng)
    pieces = NoiseSuppressor(RATE, "moderate")
    cut = [pieces.process(audio[at : at + 331]) for at in range(0, len(audio), 331)]
    assert np.array_equal(np.concatenate(cut), NoiseSuppressor(RATE, "moderate").process(audio))


def test_library_that_fails_is_told_of_once(rng: np.random.Generator, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def process(self, audio: Mono) -> Mono:
            raise RuntimeError("no memory")

    suppressor = NoiseSuppressor(RATE, "low")
    suppressor._library = Broken()
    audio = hiss(1.0, 0.01, rng)
    with caplog.at_level(logging.WARNING, "sottovoce.speech"):
        left = np.concatenate([suppressor.process(audio[:5000]), suppressor.process(audio[5000:])])
    assert np.array_equal(left, audio[: len(left)])
    assert [record.message for record in caplog.records] == ["noise is not suppressed any more reason=no memory"]


def test_missing_library_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pywebrtc_audio", None)
    with pytest.raises(BackendUnavailableError) as caught:
        NoiseSuppressor(RATE, "low")
    assert caught.value.install_hint == 'pip install "sottovoce[aec]"'


def test_what_is_not_allowed_is_refused() -> None:
    with pytest.raises(ConfigError, match="8000"):
        NoiseSuppressor(8000, "low")
    with pytest.raises(ConfigError, match="louder"):
        NoiseSuppressor(RATE, "louder")  # type: ignore[arg-type]
