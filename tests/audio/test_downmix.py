"""Several channels to one, without the dead ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sottovoce.audio.downmix import Downmix
from sottovoce.audio.files import AudioFile
from sottovoce.core.types import Block, Mono

RATE = 16_000


def voice(seconds: float) -> Mono:
    return (0.1 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def mixed(block: Block, downmix: Downmix, size: int = 512) -> Mono:
    return np.concatenate([downmix.mix(block[at : at + size]) for at in range(0, len(block), size)])


def test_channels_that_are_heard_are_averaged() -> None:
    left, right = voice(2.0), 0.5 * voice(2.0)
    downmix = Downmix(2, RATE)
    assert np.allclose(mixed(np.stack([left, right], axis=1), downmix), 0.75 * left, atol=1e-6)
    assert downmix.problem == ""


@pytest.mark.parametrize("dead", [0, 1])
def test_dead_channel_is_left_out_and_named(dead: int, rng: np.random.Generator) -> None:
    x = voice(2.0)
    noise = (1e-4 * rng.standard_normal(len(x))).astype(np.float32)
    block = np.stack([noise, x] if dead == 0 else [x, noise], axis=1)
    downmix = Downmix(2, RATE)
    out = mixed(block, downmix)
    assert downmix.dead == (dead,)
    assert f"channel {dead + 1} of 2 is silent" in downmix.problem
    assert np.allclose(out[RATE:], x[RATE:], atol=1e-3), "at its full level"
    assert np.abs(np.diff(out)).max() <= 1.05 * np.abs(np.diff(x)).max(), "no click where it is left out"


def test_channel_that_comes_back_is_heard_in_that_block() -> None:
    x, nothing = voice(1.0), np.zeros(RATE, np.float32)
    downmix = Downmix(2, RATE)
    mixed(np.stack([x, nothing], axis=1), downmix)
    assert downmix.dead == (1,)
    out = mixed(np.stack([nothing, x], axis=1), downmix)
    assert downmix.dead == ()
    assert np.abs(out[:512]).max() > 0.03


def test_silence_is_no_dead_channel(rng: np.random.Generator) -> None:
    quiet = 1e-5 * rng.standard_normal((5 * RATE, 2))
    quiet[:, 1] = 0.0
    downmix = Downmix(2, RATE)
    mixed(quiet.astype(np.float32), downmix)
    assert downmix.dead == ()


def test_channels_that_cancel_each_other_leave_the_first() -> None:
    x = voice(2.0)
    downmix = Downmix(2, RATE)
    out = mixed(np.stack([x, -x], axis=1), downmix)
    assert "cancel each other" in downmix.problem
    assert np.allclose(out[RATE:], x[RATE:], atol=1e-6)


def test_recording_with_a_dead_channel_says_so(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    x = voice(2.0)
    soundfile.write(tmp_path / "half.wav", np.stack([x, np.zeros_like(x)], axis=1), RATE)
    with AudioFile(tmp_path / "half.wav") as file:
        heard = file.read()
        assert "channel 2 of 2 is silent" in file.warning
    assert np.abs(heard[RATE:]).max() == pytest.approx(0.1, rel=0.02)
