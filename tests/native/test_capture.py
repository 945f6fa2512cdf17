from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import reference
from sottovoce.native.callback import CaptureCallback
from sottovoce.native.mixer import MAX_BLOCKSIZE
from sottovoce.native.rate_converter import QUALITIES
from sottovoce.native.ring import Ring
from tests.native.arrays import Float, converted, noise
from tests.native.portaudio import STREAM_CALLBACK, capture, finish


def everything(ring: Ring) -> Float:
    out = np.empty((ring.readable_frames, ring.channels), np.float32)
    ring.read_into(out)
    return out


@given(
    st.sampled_from([8000, 16000, 44100, 48000]),
    st.sampled_from([8000, 16000, 48000]),
    st.sampled_from(QUALITIES),
    st.integers(1, 3),
    st.integers(1, 2),
    st.lists(st.integers(1, 700), min_size=1, max_size=4),
)
@settings(deadline=None)
def test_input_comes_at_the_channels_and_samplerate_of_the_ring(
    samplerate: int, ring_samplerate: int, quality: str, channels: int, ring_channels: int, blocks: list[int]
) -> None:
    x = noise(2000, channels)
    ring = Ring(1 << 15, ring_channels)
    callback = CaptureCallback(ring, samplerate, channels, ring_samplerate, 0, quality)
    position = turn = 0
    while position < len(x):
        block = x[position : position + blocks[turn % len(blocks)]]
        capture(callback, block)
        position, turn = position + len(block), turn + 1
    mixed = reference.mix_channels(x, ring_channels)
    np.testing.assert_array_equal(everything(ring), converted(mixed, samplerate, ring_samplerate, quality, end=False))
    assert callback.counters()["blocks"] == turn
    assert callback.counters()["frames"] == len(x)


def test_full_ring_loses_the_newest_and_counts_them() -> None:
    x = noise(200)
    ring = Ring(128, 1)
    callback = CaptureCallback(ring, 48000, 1, 48000, 0)
    capture(callback, x)
    capture(callback, x)
    np.testing.assert_array_equal(everything(ring), x[:128])
    counted = callback.counters()
    assert (counted["overruns"], counted["overrun_frames"]) == (2, 272)


def test_nan_and_infinity_do_not_enter() -> None:
    x = noise(100)
    x[3], x[5] = np.nan, np.inf
    ring = Ring(128, 1)
    callback = CaptureCallback(ring, 48000, 1, 48000, 0)
    capture(callback, x)
    out = everything(ring)
    assert (out[3], out[5]) == (0.0, 1.0)
    assert np.isnan(x[3])  # the host's memory is only read
    assert callback.counters()["scrubbed_samples"] == 2


def test_retired_callback_counts_its_calls_and_touches_nothing_else() -> None:
    ring = Ring(128, 1)
    callback = CaptureCallback(ring, 48000, 1, 48000, 0)
    before = callback.counters()
    callback.retire()
    capture(callback, noise(100))
    assert ring.readable_frames == 0
    assert callback.counters() == before | {"generation_mismatches": 1}


def test_missing_buffer_and_block_too_long_are_counted() -> None:
    ring = Ring(1 << 16, 1)
    callback = CaptureCallback(ring, 48000, 1, 48000, 0)
    assert STREAM_CALLBACK(callback.address)(None, None, 64, None, 0, callback.userdata) == 0
    capture(callback, noise(MAX_BLOCKSIZE + 1))
    assert (callback.counters()["errors"], callback.counters()["shape_mismatches"]) == (1, 1)
    assert ring.readable_frames == 0
    capture(callback, noise(MAX_BLOCKSIZE))
    assert ring.readable_frames == MAX_BLOCKSIZE


def test_flags_and_end_of_the_stream_are_seen() -> None:
    callback = CaptureCallback(Ring(128, 1), 48000, 1, 48000, 5)
    capture(callback, noise(16), flags=2)
    assert callback.counters()["pa_input_overflows"] == 1
    finish(callback)
    assert callback.finished
    assert (callback.generation, callback.samplerate, callback.channels) == (5, 48000, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((999, 1, 48000, 0), "samplerate is 999"),
        ((48000, 0, 48000, 0), "channels is 0"),
        ((48000, 1, 768001, 0), "ring_samplerate is 768001"),
        ((48000, 1, 48000, -1), "generation is -1"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: tuple[int, int, int, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CaptureCallback(Ring(128, 1), *arguments)
