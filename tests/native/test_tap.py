"""What a mixer renders reaches its tap: all of it, in order, and whoever does not read it delays nothing."""

from __future__ import annotations

import numpy as np
import pytest

from sottovoce.native.callback import PlaybackCallback
from sottovoce.native.mixer import Mixer
from sottovoce.native.ring import Ring
from tests.native.arrays import Float, noise, render

RATE = 48_000


def tapped(channels: int = 2, capacity_frames: int = 8192) -> tuple[Mixer, Ring]:
    ring = Ring(capacity_frames, channels)
    return Mixer(RATE, channels, undriven_s=3600.0, tap=ring), ring


def read(ring: Ring) -> Float:
    block = np.empty((ring.readable_frames, ring.channels), np.float32)
    return block[: ring.read_into(block)]


@pytest.mark.parametrize("blocksize", [64, 256, 700])
def test_tap_receives_what_is_rendered_bit_for_bit(blocksize: int) -> None:
    mixer, ring = tapped()
    sources = [mixer.add_source(RATE, 2, 4096) for _ in range(2)]
    for seed, source in enumerate(sources):
        source.write(0.2 * noise(1500, 2, seed), source.generation)
        source.end(source.generation)
    sources[1].set_gain(0.5, 0.01)
    out = render(mixer, 2100, blocksize)
    np.testing.assert_array_equal(read(ring), out)
    assert out[:1500].any()
    assert mixer.counters()["tap_lost_frames"] == 0


def test_tap_that_nobody_reads_loses_the_newest_and_counts_them() -> None:
    mixer, ring = tapped(1, 1024)
    source = mixer.add_source(RATE, 1, 8192)
    source.write(noise(3000, 1), source.generation)
    out = render(mixer, 3000, 256)
    assert out.any(axis=1).all(), "what is played does not depend on it"
    assert mixer.counters()["tap_lost_frames"] == 3000 - 1024
    np.testing.assert_array_equal(read(ring), out[:1024])


def test_device_that_wakes_up_is_silence_to_the_tap() -> None:
    mixer, ring = tapped()
    callback = PlaybackCallback(mixer, 1)
    callback.keep_awake(0.02, 5.0, keeps_warm=False)
    source = mixer.add_source(RATE, 2, 8192)
    source.write(noise(4000, 2), source.generation)
    callback.drive(480, 2)
    held = read(ring)
    assert held.shape == (960, 2)
    assert not held.any()
    callback.drive(480, 2)
    assert read(ring).any()


def test_tap_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="the tap has 1 channels; the mixer has 2"):
        Mixer(RATE, 2, tap=Ring(64, 1))
