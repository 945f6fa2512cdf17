from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sottovoce.native import convert
from sottovoce.native.polyphase import TIERS, StreamResampler
from sottovoce.native.variable import VariableResampler
from tests.native.arrays import Float, noise

FILTERS = TIERS[1:]
PAIRS = [(48000, 48000), (44100, 48000), (48000, 44100), (48000, 16000), (16000, 48000)]


def resampled(x: Float, rates: tuple[int, int], quality: str, cuts: list[int], ratio: float) -> Float:
    """The whole of a signal whose ratio slews to ``ratio`` times the nominal one from the first frame on."""
    resampler = VariableResampler(*rates, x.shape[1], quality)
    resampler.set_ratio(ratio * resampler.nominal_ratio, 500)
    parts, position, turn = [], 0, 0
    while position < len(x):
        block = x[position : position + cuts[turn % len(cuts)]]
        told = resampler.out_frames(len(block))
        parts.append(resampler.process(block))
        assert len(parts[-1]) == told
        position, turn = position + len(block), turn + 1
    told = resampler.flush_frames
    parts.append(resampler.flush())
    assert len(parts[-1]) == told
    return np.concatenate(parts)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(PAIRS),
    st.sampled_from(FILTERS),
    st.integers(1, 3),
    st.integers(0, 2500),
    st.lists(st.integers(1, 400), min_size=1, max_size=5),
    st.floats(0.96, 1.04),
)
def test_output_has_the_same_bits_however_it_is_cut(
    rates: tuple[int, int], quality: str, channels: int, frames: int, cuts: list[int], ratio: float
) -> None:
    x = noise(frames, channels)
    whole = resampled(x, rates, quality, [max(1, frames)], ratio)
    np.testing.assert_array_equal(resampled(x, rates, quality, cuts, ratio), whole)


@pytest.mark.parametrize(("quality", "error"), [("fast", 1e-6), ("standard", 1e-6), ("hq", 5e-7), ("best", 1e-7)])
@pytest.mark.parametrize("rates", PAIRS[1:], ids=str)
def test_nominal_ratio_is_what_the_fixed_one_gives(rates: tuple[int, int], quality: str, error: float) -> None:
    x = noise(6000, 2)
    fixed = StreamResampler(*rates, 2, quality)
    expected = np.concatenate([fixed.process(x), fixed.flush()])
    y = resampled(x, rates, quality, [777], 1.0)
    assert abs(len(y) - len(expected)) <= 1
    shared = min(len(y), len(expected))
    assert np.abs(y[:shared] - expected[:shared]).max() < error


def test_slewing_ratio_makes_no_click() -> None:
    hz, rate = 1000.0, 48000
    x = (0.5 * np.sin(2 * np.pi * hz / rate * np.arange(rate * 4))).astype(np.float32)[:, None]
    resampler = VariableResampler(rate, rate, 1, "hq")
    parts = []
    for second, ratio in enumerate((1.0, 1.0005, 0.9995, 1.0)):
        resampler.set_ratio(ratio, 4800)
        parts.append(resampler.process(x[second * rate : (second + 1) * rate]))
    y = np.concatenate(parts)[500:, 0].astype(np.float64)
    # a sine obeys y[n+1] + y[n-1] = 2 cos(w) y[n]; a click would break that by its own height
    rest = y[2:] + y[:-2] - 2 * np.cos(2 * np.pi * hz / rate) * y[1:-1]
    assert np.abs(rest).max() < 0.5 * 2 * (2 * np.pi * hz / rate) ** 2 * 0.0006


def test_ratio_arrives_after_the_slew() -> None:
    resampler = VariableResampler(44100, 48000)
    resampler.set_ratio(1.09, 1000)
    y = resampler.process(np.zeros((500, 1), np.float32))
    assert resampler.nominal_ratio < resampler.ratio < 1.09
    resampler.process(np.zeros((1000, 1), np.float32))
    assert len(y) < 1000
    assert resampler.ratio == pytest.approx(1.09, abs=1e-12)


def test_nan_counts_as_silence_and_reset_begins_anew() -> None:
    x = noise(3000)
    x[[5, 6]] = 0.0
    bad = x.copy()
    bad[5], bad[6] = np.nan, np.inf
    resampler = VariableResampler(44100, 48000, 1, "hq")
    first = resampler.process(x)
    resampler.reset()
    np.testing.assert_array_equal(resampler.process(bad), first)


@pytest.mark.parametrize(
    ("ratio", "slew_frames", "words"),
    [
        (2.0, 0, "ratio is 2.0; it must be within 5 %"),
        (float("nan"), 0, "ratio is nan"),
        (1.0, -1, "slew_frames is -1"),
    ],
)
def test_bad_ratio_is_refused_and_leaves_the_old_one(ratio: float, slew_frames: int, words: str) -> None:
    resampler = VariableResampler(48000, 48000)
    with pytest.raises(ValueError, match=words):
        resampler.set_ratio(ratio, slew_frames)
    assert resampler.ratio == 1.0


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="quality is 'linear'; allowed: 'fast'"):
        VariableResampler(48000, 48000, 1, "linear")
    resampler = VariableResampler(48000, 48000, 2)
    with pytest.raises(ValueError, match=r"x has shape \(4, 3\)"):
        resampler.process(np.zeros((4, 3), np.float32))
    with pytest.raises(ValueError, match="out has 1 frames"):
        resampler.process_into(np.zeros((4000, 2), np.float32), np.zeros((1, 2), np.float32))
    assert resampler.flush_frames == 0


@pytest.mark.parametrize("channels", [1, 2])
def test_int16_takes_the_same_path(channels: int) -> None:
    x = np.random.default_rng(3).integers(-20000, 20000, (5000, channels)).astype(np.int16)
    as_float = np.empty(x.shape, np.float32)
    convert.int16_to_float32(x, as_float)
    one, two = (VariableResampler(44_100, 48_000, channels, "hq") for _ in range(2))
    for resampler in (one, two):
        resampler.set_ratio(resampler.nominal_ratio * 1.049, 3000)
    for start, end in ((0, 7), (7, 900), (900, 5000)):
        y = two.process(as_float[start:end])
        expected = np.empty(y.shape, np.int16)
        convert.float32_to_int16(y, expected)
        out = np.empty_like(expected)
        assert one.process_into(x[start:end], out) == len(expected)
        np.testing.assert_array_equal(out, expected)
    tail = two.flush().astype(np.float32)
    expected = np.empty(tail.shape, np.int16)
    convert.float32_to_int16(tail, expected)
    np.testing.assert_array_equal(one.flush(), expected)


def test_one_axis_in_is_one_axis_out() -> None:
    x = noise(500)
    flat, block = (VariableResampler(24_000, 48_000) for _ in range(2))
    y = flat.process(x[:, 0])
    assert y.ndim == 1
    np.testing.assert_array_equal(y, block.process(x)[:, 0])
    assert flat.flush().ndim == 1


def test_large_blocks_let_other_threads_run() -> None:
    resampler = VariableResampler(44_100, 48_000, 1, "best")
    x = np.zeros(1_000_000, np.float32)
    started, done, seen = threading.Event(), threading.Event(), []

    def watch() -> None:
        started.wait()
        seen.append(not done.is_set())

    watcher = threading.Thread(target=watch, name="watcher")
    watcher.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60.0)  # only a release of the GIL lets the watcher run meanwhile
    try:
        started.set()
        resampler.process(x)
        done.set()
    finally:
        sys.setswitchinterval(interval)
    watcher.join(10)
    assert seen == [True]
