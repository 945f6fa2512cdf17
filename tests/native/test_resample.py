from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import reference
from sottovoce.native.resample import LinearResampler
from tests.native.arrays import Float, noise, sine

RATES = [1000, 1001, 8000, 11025, 16000, 22050, 24000, 44100, 47999, 48000, 96000, 768000]
samplerates = st.sampled_from(RATES)


def resampled(x: Float, in_samplerate: int, out_samplerate: int, cuts: list[int]) -> Float:
    """The whole of a signal, given in blocks of the sizes ``cuts``, over and over."""
    resampler = LinearResampler(in_samplerate, out_samplerate, x.shape[1])
    parts, position, turn = [], 0, 0
    while position < len(x):
        block = x[position : position + cuts[turn % len(cuts)]]
        out = np.full((resampler.out_frames(len(block)) + 2, x.shape[1]), np.nan, np.float32)
        given_frames = resampler.process_into(block, out)
        assert given_frames == len(out) - 2
        assert np.isnan(out[given_frames:]).all()
        parts.append(out[:given_frames])
        position, turn = position + len(block), turn + 1
    out = np.empty((resampler.flush_frames, x.shape[1]), np.float32)
    assert resampler.flush_into(out) == len(out)
    return np.concatenate([*parts, out])


@settings(max_examples=300, deadline=None)
@given(
    samplerates,
    samplerates,
    st.integers(1, 3),
    st.integers(0, 600),
    st.lists(st.integers(1, 200), min_size=1, max_size=5),
)
def test_output_is_the_reference_and_the_same_bits_however_it_is_cut(
    in_samplerate: int, out_samplerate: int, channels: int, frames: int, cuts: list[int]
) -> None:
    x = noise(frames, channels)
    whole = resampled(x, in_samplerate, out_samplerate, [max(1, frames)])
    np.testing.assert_array_equal(resampled(x, in_samplerate, out_samplerate, cuts), whole)
    np.testing.assert_allclose(whole, reference.resample_linear(x, in_samplerate, out_samplerate), atol=1e-6)


@given(samplerates, samplerates, st.integers(0, 5000))
def test_length_is_rounded_to_nearest(in_samplerate: int, out_samplerate: int, frames: int) -> None:
    out = resampled(noise(frames), in_samplerate, out_samplerate, [4096])
    assert len(out) == math.floor(frames * out_samplerate / in_samplerate + 0.5)


def test_same_samplerate_is_the_same_signal() -> None:
    x = noise(1000, 2)
    np.testing.assert_array_equal(resampled(x, 44100, 44100, [7, 64]), x)


@pytest.mark.parametrize("rates", [(24000, 48000), (44100, 48000), (48000, 16000), (768000, 1000), (1000, 768000)])
def test_output_is_never_further_behind_than_the_latency(rates: tuple[int, int]) -> None:
    resampler = LinearResampler(*rates, 1)
    given_frames, behind = 0, 0.0
    for fed in range(1, 2000):
        out = np.empty((resampler.out_frames(1), 1), np.float32)
        given_frames += resampler.process_into(np.zeros((1, 1), np.float32), out)
        behind = max(behind, fed * rates[1] / rates[0] - given_frames)
    assert behind == pytest.approx(resampler.latency_frames, abs=1e-6)


def test_pitch_is_right_over_a_long_signal() -> None:
    out = resampled(sine(441_000, 44100, 100.0), 44100, 48000, [1023])
    np.testing.assert_allclose(out[:-1], sine(480_000, 48000, 100.0)[:-1], atol=2e-4)  # the last frame is held


def test_long_streams_stay_exact_when_their_counters_are_moved_back() -> None:
    frames = (1 << 24) + 100_003  # beyond the count at which the resampler moves its counters back
    resampler = LinearResampler(44100, 48000, 1)
    block = np.arange(frames % 9973, frames % 9973 + 99_991).astype(np.float32)[:, None] % 977
    fed = total = 0
    while fed + len(block) <= frames:
        out = np.empty((resampler.out_frames(len(block)), 1), np.float32)
        total += resampler.process_into(block, out)
        fed += len(block)
    # after whole periods of the ratio, a fresh resampler fed the same last block gives the same bits
    fresh = LinearResampler(44100, 48000, 1)
    start = fed - len(block)
    skipped = start % 147
    lead = np.concatenate([block[len(block) - 147 * 600 - skipped :], block])
    first = np.empty((fresh.out_frames(len(lead)), 1), np.float32)
    fresh.process_into(lead, first)
    compared = len(block) // 2
    np.testing.assert_array_equal(first[-compared:], out[-compared:])
    assert total == resampler_total(fed)


def resampler_total(fed: int) -> int:
    """Frames given for ``fed`` at 44.1 to 48 kHz before the flush: those read at or before the newest frame."""
    return min((fed - 1) * 160 // 147 + 1, reference.resampled_frames(fed, 44100, 48000))


def test_flush_and_reset_make_it_new() -> None:
    x = noise(100)
    resampler = LinearResampler(24000, 48000, 1)
    outs = []
    for _ in range(2):
        out = np.empty((resampler.out_frames(100), 1), np.float32)
        resampler.process_into(x, out)
        outs.append(out)
        resampler.flush_into(np.empty((resampler.flush_frames, 1), np.float32))
    np.testing.assert_array_equal(outs[0], outs[1])
    resampler.process_into(x, np.empty((resampler.out_frames(100), 1), np.float32))
    resampler.reset()
    assert resampler.flush_frames == 0
    assert resampler.out_frames(100) == len(outs[0])


def test_empty_input_gives_empty_output() -> None:
    resampler = LinearResampler(24000, 48000, 2)
    empty = np.empty((0, 2), np.float32)
    assert resampler.out_frames(0) == 0
    assert resampler.process_into(empty, empty) == 0
    assert resampler.flush_into(empty) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((999, 48000, 1), "in_samplerate is 999; .*1000..768000"),
        ((48000, 768001, 1), "out_samplerate is 768001"),
        ((48000.0, 44100, 1), "in_samplerate is 48000.0"),
        ((48000, 44100, 0), "channels is 0; .*1..64"),
        ((48000, 44100, 65), "channels is 65"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: tuple[int, int, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LinearResampler(*arguments)


def test_output_too_short_is_refused_and_changes_nothing() -> None:
    resampler = LinearResampler(24000, 48000, 1)
    x = noise(10)
    with pytest.raises(ValueError, match="out has 5 frames; 10 frames of x need 19"):
        resampler.process_into(x, np.empty((5, 1), np.float32))
    assert resampler.process_into(x, np.empty((19, 1), np.float32)) == 19
    with pytest.raises(ValueError, match="the flush gives 1"):
        resampler.flush_into(np.empty((0, 1), np.float32))
