from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.audio.resampler import Quality, Resampler
from sottovoce.core.errors import ConfigError

QUALITIES: tuple[Quality, ...] = ("soxr", "linear", "fast", "standard", "hq", "best")
PAIRS = [(24000, 48000), (44100, 48000), (48000, 44100), (48000, 16000), (22050, 48000), (16000, 16000)]


def noise(frames: int, channels: int = 1) -> np.ndarray:
    return (0.3 * np.random.default_rng(7).standard_normal((frames, channels))).astype(np.float32)


def run(resampler: Resampler, x: np.ndarray, cuts: list[int]) -> np.ndarray:
    parts, at = [], 0
    for cut in [*cuts, len(x)]:
        parts.append(resampler.process(x[at : at + cut]))
        at += cut
    return np.concatenate([*parts, resampler.flush()])


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_length_is_rounded_to_nearest(quality: Quality, rate_in: int, rate_out: int) -> None:
    y = run(Resampler(rate_in, rate_out, quality=quality), noise(rate_in), [])
    assert y.shape == (rate_out, 1)


@pytest.mark.parametrize("quality", QUALITIES)
@given(cuts=st.lists(st.integers(0, 700), max_size=30))
def test_output_is_the_same_however_the_input_is_cut(quality: Quality, cuts: list[int]) -> None:
    x = noise(8000, 2)
    whole = run(Resampler(44100, 48000, 2, quality), x, [])
    assert np.array_equal(run(Resampler(44100, 48000, 2, quality), x, cuts), whole)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_pitch_is_kept(quality: Quality, rate_in: int, rate_out: int) -> None:
    x = np.sin(2 * np.pi * 1000 * np.arange(rate_in) / rate_in).astype(np.float32)
    y = run(Resampler(rate_in, rate_out, quality=quality), x, [441] * 5)
    assert np.argmax(np.abs(np.fft.rfft(y))) == 1000


@pytest.mark.parametrize("quality", QUALITIES)
def test_reset_and_flush_begin_anew(quality: Quality) -> None:
    x = noise(5000)
    resampler = Resampler(24000, 48000, quality=quality)
    first = run(resampler, x, [])
    assert np.array_equal(run(resampler, x, []), first), "after a flush"
    resampler.process(noise(777))
    resampler.reset()
    assert np.array_equal(run(resampler, x, []), first), "after a reset"


@pytest.mark.parametrize("quality", QUALITIES)
def test_nothing_in_gives_nothing_out(quality: Quality) -> None:
    resampler = Resampler(24000, 48000, quality=quality)
    assert resampler.process(np.zeros(0, np.float32)).shape == (0,)
    assert resampler.flush().shape == (0,)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("block", [1, 100, 480, 5000])
def test_out_frames_tells_before(quality: Quality, block: int) -> None:
    resampler = Resampler(44100, 48000, quality=quality)
    for _ in range(20):
        told = resampler.out_frames(block)
        given_frames = len(resampler.process(noise(block)))
        assert given_frames <= told
        assert quality == "soxr" or given_frames == told


@pytest.mark.parametrize("quality", QUALITIES)
def test_latency_is_never_exceeded(quality: Quality) -> None:
    resampler = Resampler(24000, 48000, quality=quality)
    fed = given_frames = 0
    for _ in range(200):
        given_frames += len(resampler.process(noise(120)))
        fed += 240
        assert fed - given_frames <= resampler.latency_frames + 240
    assert resampler.latency == resampler.latency_frames / 48000
    assert resampler.latency < 0.05


@pytest.mark.parametrize("quality", QUALITIES)
def test_process_into_writes_what_process_returns(quality: Quality) -> None:
    x = noise(1000, 2)
    one, two = Resampler(24000, 48000, 2, quality), Resampler(24000, 48000, 2, quality)
    out = np.empty((two.out_frames(1000), 2), np.float32)
    frames = two.process_into(x, out)
    assert np.array_equal(out[:frames], one.process(x))
    with pytest.raises(ConfigError, match="out has 3 frames"):
        two.process_into(x, out[:3])


@pytest.mark.parametrize("quality", QUALITIES)
def test_int16_in_gives_int16_out_with_one_warning(quality: Quality, caplog: pytest.LogCaptureFixture) -> None:
    x = (np.sin(np.arange(4800) / 20) * 20000).astype(np.int16)
    resampler = Resampler(24000, 48000, quality=quality)
    with caplog.at_level(logging.WARNING):
        y = np.concatenate([resampler.process(x[:2400]), resampler.process(x[2400:]), resampler.flush()])
    assert y.dtype == np.int16
    assert y.shape == (9600,)
    assert np.abs(y[4000:6000]).max() == pytest.approx(20000, rel=0.01)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 48000), "in_samplerate is 0"),
        ((24000, 48), "out_samplerate is 48"),
        ((24000, 48000, 0), "channels is 0"),
        ((24000.5, 48000), "in_samplerate is 24000.5"),
        ((24000, 48000, 1, "worse"), "quality is 'worse'; allowed: 'linear', 'fast', 'standard', 'hq', 'best', 'soxr'"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple[int, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Resampler(*arguments)


def test_wrong_channels_are_named() -> None:
    with pytest.raises(ConfigError, match="2 channels; allowed: 3 or 1"):
        Resampler(24000, 48000, 3).process(noise(10, 2))


@pytest.mark.parametrize("quality", QUALITIES)
def test_refused_input_leaves_the_state(quality: Quality) -> None:
    x = noise(3000, 2)
    disturbed, plain = Resampler(44100, 48000, 2, quality), Resampler(44100, 48000, 2, quality)
    parts = [disturbed.process(x[:1000])]
    room = np.zeros((5000, 2), np.float32)
    with pytest.raises(ConfigError, match="dtype of x is float64"):
        disturbed.process(x.astype(np.float64))
    with pytest.raises(ConfigError, match="3 channels; allowed: 2 or 1"):
        disturbed.process(noise(10, 3))
    with pytest.raises(ConfigError, match="out has 1 frames"):
        disturbed.process_into(x[1000:], room[:1])
    with pytest.raises(ConfigError, match="float32"):
        disturbed.process_into(x[1000:], room.astype(np.int16))
    room.setflags(write=False)
    with pytest.raises(ConfigError, match="read-only"):
        disturbed.process_into(x[1000:], room)
    parts += [disturbed.process(x[1000:]), disturbed.flush()]
    assert np.array_equal(np.concatenate(parts), run(plain, x, []))


@pytest.mark.parametrize("quality", QUALITIES)
def test_arrays_that_are_not_contiguous_or_read_only_are_taken(quality: Quality) -> None:
    x = noise(2000, 4)
    expected = run(Resampler(24000, 48000, 2, quality), x[:, :2].copy(), [])
    strided = x[:, :2]
    assert np.array_equal(run(Resampler(24000, 48000, 2, quality), strided, [700]), expected)
    frozen = strided.copy()
    frozen.setflags(write=False)
    assert np.array_equal(run(Resampler(24000, 48000, 2, quality), frozen, [700]), expected)


@pytest.mark.parametrize("quality", QUALITIES)
def test_arrays_that_are_not_aligned_are_taken(quality: Quality) -> None:
    x = noise(500)[:, 0]
    expected = Resampler(24000, 48000, quality=quality).process(x)
    shifted = np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].view(np.float32)
    assert not shifted.flags.aligned
    assert np.array_equal(Resampler(24000, 48000, quality=quality).process(shifted), expected)


def test_process_takes_its_argument_by_name() -> None:
    assert Resampler(24000, 48000).process(x=noise(500)).shape[1] == 1


@pytest.mark.parametrize("quality", QUALITIES)
def test_mono_is_duplicated(quality: Quality) -> None:
    y = run(Resampler(24000, 48000, 2, quality), noise(2000, 1), [])
    assert y.shape == (4000, 2)
    assert np.array_equal(y[:, 0], y[:, 1])
