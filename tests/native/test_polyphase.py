from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import reference_resample as reference
from sottovoce.native import convert, polyphase, resample
from sottovoce.native.polyphase import TIERS, StreamResampler
from tests.native.arrays import Float, noise

FILTERS = TIERS[1:]
PAIRS = [
    (24000, 48000),
    (22050, 48000),
    (16000, 48000),
    (44100, 48000),
    (48000, 44100),
    (48000, 16000),
    (48000, 48000),
    (8000, 11025),
    (96000, 44100),
    (1000, 768000),
    (44100, 48001),  # interpolated, as the next two
    (48000, 44099),
    (100003, 8000),
]


def resampled(x: Float, rates: tuple[int, int], quality: str, cuts: list[int]) -> Float:
    """The whole of a signal, given in blocks of the sizes ``cuts``, over and over."""
    resampler = StreamResampler(*rates, x.shape[1], quality)
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
    return np.concatenate([part.reshape(-1, x.shape[1]) for part in parts])


@pytest.mark.parametrize("quality", FILTERS)
@pytest.mark.parametrize("rates", PAIRS, ids=str)
def test_output_is_the_reference(rates: tuple[int, int], quality: str) -> None:
    x = noise(max(3, rates[0] // 100), level=0.9)
    y = resampled(x, rates, quality, [len(x)])
    expected = reference.resample(x[:, 0], *rates, quality)
    assert len(y) == len(expected)
    assert np.abs(y[:, 0] - expected).max() < 1e-6


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(PAIRS),
    st.sampled_from(TIERS),
    st.sampled_from([1, 2, 3, 4, 7]),
    st.integers(0, 1500),
    st.lists(st.integers(1, 300), min_size=1, max_size=6),
)
def test_output_has_the_same_bits_however_it_is_cut(
    rates: tuple[int, int], quality: str, channels: int, frames: int, cuts: list[int]
) -> None:
    x = noise(frames, channels)
    whole = resampled(x, rates, quality, [max(1, frames)])
    np.testing.assert_array_equal(resampled(x, rates, quality, cuts), whole)
    for channel in range(channels):
        alone = resampled(np.ascontiguousarray(x[:, channel : channel + 1]), rates, quality, [max(1, frames)])
        np.testing.assert_array_equal(alone[:, 0], whole[:, channel])


@settings(deadline=None)
@given(st.sampled_from(PAIRS), st.sampled_from(FILTERS), st.integers(0, 20000))
def test_lengths_are_those_of_the_rule(rates: tuple[int, int], quality: str, frames: int) -> None:
    resampler = StreamResampler(*rates, 1, quality)
    resampler.process(np.zeros(frames, np.float32))
    total = reference.total_frames(frames, *rates)
    if resampler.is_fixed:
        before = reference.available_frames(frames, *rates, reference.prototypes()[quality][0])
        assert resampler.flush_frames == total - before
    assert 0 <= resampler.flush_frames <= total
    resampler.flush()
    assert resampler.flush_frames == 0


@pytest.mark.parametrize("quality", TIERS)
@pytest.mark.parametrize("rates", PAIRS, ids=str)
def test_latency_is_the_most_that_is_ever_held_back(rates: tuple[int, int], quality: str) -> None:
    resampler = StreamResampler(*rates, 1, quality)
    up, down = reference.lowest_terms(*rates)
    frames = int(resampler.latency_frames * down / up) + 1 + (down if down < 30000 else 0)
    given_frames, most = 0, 0.0
    for n in range(1, frames + 1):
        given_frames += len(resampler.process(np.zeros(1, np.float32)))
        most = max(most, n * up / down - given_frames)
    if down < 30000:  # all phases were seen
        assert most == pytest.approx(resampler.latency_frames, abs=1e-6)
    assert most <= resampler.latency_frames + 1e-6


@pytest.mark.parametrize("quality", FILTERS)
@pytest.mark.parametrize("rates", [(24000, 48000), (44100, 48000), (48000, 44100), (44100, 48001)], ids=str)
def test_impulse_is_where_it_was_and_comes_when_latency_says(rates: tuple[int, int], quality: str) -> None:
    x = np.exp(-0.5 * ((np.arange(4000) - 2000) / 6.0) ** 2).astype(np.float32)  # within every tier's band
    resampler = StreamResampler(*rates, 1, quality)
    up, down = reference.lowest_terms(*rates)
    given_frames, fed_at = 0, []
    parts = []
    for n in range(len(x)):
        parts.append(resampler.process(x[n : n + 1]))
        given_frames += len(parts[-1])
        fed_at += [n + 1] * len(parts[-1])
    y = np.concatenate(parts).astype(np.float64)
    middle = (y**2 * (np.arange(len(y)) + 0.5)).sum() / (y**2).sum()
    assert middle == pytest.approx(2000.5 * up / down, abs=1e-3), "no shift"
    peak = round(middle - 0.5)
    waited = fed_at[peak] * up / down - peak
    assert resampler.latency_frames - 1e-6 <= waited <= resampler.latency_frames + up / down + 1e-6


@pytest.mark.parametrize("rates", PAIRS, ids=str)
@pytest.mark.parametrize("quality", TIERS)
def test_int16_takes_the_same_path(rates: tuple[int, int], quality: str) -> None:
    whole = np.random.default_rng(3).integers(-20000, 20000, (2000, 2)).astype(np.int16)
    as_float = np.empty(whole.shape, np.float32)
    convert.int16_to_float32(whole, as_float)
    one, two = StreamResampler(*rates, 2, quality), StreamResampler(*rates, 2, quality)
    for start, end in ((0, 7), (7, 900), (900, 2000)):
        y = two.process(as_float[start:end])
        expected = np.empty(y.shape, np.int16)
        convert.float32_to_int16(y, expected)
        np.testing.assert_array_equal(one.process(whole[start:end]), expected)
    tail = two.flush()
    expected = np.empty(tail.shape, np.int16)
    convert.float32_to_int16(tail, expected)
    np.testing.assert_array_equal(one.flush(), expected)


@pytest.mark.parametrize("quality", TIERS)
@pytest.mark.parametrize("rates", [(24000, 48000), (44100, 48000), (44100, 48001)], ids=str)
def test_reset_begins_anew(rates: tuple[int, int], quality: str) -> None:
    x = noise(3000, 2)
    resampler = StreamResampler(*rates, 2, quality)
    first = np.concatenate([resampler.process(x), resampler.flush()])
    poison = x.copy()
    poison[::7] = np.nan
    poison[1::7] = np.inf
    resampler.process(poison)
    resampler.reset()
    np.testing.assert_array_equal(np.concatenate([resampler.process(x), resampler.flush()]), first)


@pytest.mark.parametrize("quality", FILTERS)
@pytest.mark.parametrize("rates", [(24000, 48000), (44100, 48000), (44100, 48001)], ids=str)
def test_nan_and_infinity_count_as_silence(rates: tuple[int, int], quality: str) -> None:
    x = noise(2000)
    x[[500, 501, 900]] = 0.0
    bad = x.copy()
    bad[500], bad[501], bad[900] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(resampled(bad, rates, quality, [333]), resampled(x, rates, quality, [333]))


@pytest.mark.parametrize("quality", FILTERS)
@pytest.mark.parametrize("rates", PAIRS, ids=str)
def test_nothing_drifts_after_years(rates: tuple[int, int], quality: str) -> None:
    x = noise(8000)
    young, old = StreamResampler(*rates, 1, quality), StreamResampler(*rates, 1, quality)
    first = [r.process(x[:7000]) for r in (young, old)]
    np.testing.assert_array_equal(*first)
    down = reference.lowest_terms(*rates)[1]
    for periods in (10**9 // down, 2**40 // down):  # far beyond where the counters are moved back
        old._advance(16 * periods)  # type: ignore[attr-defined]
        for start in range(7000, 8000, 100):
            block = x[start : start + 100]
            assert old.out_frames(100) == young.out_frames(100)
            np.testing.assert_array_equal(old.process(block), young.process(block))
    np.testing.assert_array_equal(old.flush(), young.flush())


def test_64_channels_are_resampled() -> None:
    x = noise(700, 64)
    y = resampled(x, (44100, 48000), "hq", [100])
    alone = resampled(np.ascontiguousarray(x[:, 63:]), (44100, 48000), "hq", [700])
    np.testing.assert_array_equal(y[:, 63], alone[:, 0])


DIGEST = """
import hashlib
import numpy as np
from sottovoce.native import convert, polyphase, resample
from sottovoce.native.polyphase import TIERS, StreamResampler
digest = hashlib.sha256()
rng = np.random.default_rng(5)
for tier in TIERS:
    for rates in ((24000, 48000), (22050, 48000), (44100, 48000), (48000, 44100), (48000, 16000), (44100, 48001)):
        for channels in (1, 2, 3):
            x = (0.3 * rng.standard_normal((1500, channels))).astype(np.float32)
            x[100], x[200], x[300] = 1e-41, 3e38, np.nan if tier != "linear" else 0
            stream = StreamResampler(*rates, channels, tier)
            for start, end in ((0, 1), (1, 500), (500, 1500)):
                digest.update(stream.process(x[start:end]).tobytes())
            digest.update(stream.flush().tobytes())
print(convert.isa(), digest.hexdigest())
"""


@pytest.fixture
def chosen_isa() -> Iterator[Callable[[str], None]]:
    """Chooses the instruction set of the resamplers in this process, until the test is over."""

    def choose(isa: str) -> None:
        for module in (polyphase, resample):
            module._select_isa(isa)  # type: ignore[attr-defined]

    yield choose
    choose(convert.isa())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(PAIRS[:12]),
    st.sampled_from(TIERS),
    st.integers(1, 5),
    st.integers(0, 400),
    st.lists(st.integers(1, 150), min_size=1, max_size=6),
)
def test_no_instruction_set_nor_cut_changes_a_bit(
    chosen_isa: Callable[[str], None],
    rates: tuple[int, int],
    quality: str,
    channels: int,
    frames: int,
    cuts: list[int],
) -> None:
    x = noise(frames, channels)
    expected = None
    for isa in convert.available_isas():
        chosen_isa(isa)
        whole, parts = (resampled(x, rates, quality, sizes) for sizes in ([max(1, frames)], cuts))
        expected = whole if expected is None else expected
        np.testing.assert_array_equal(whole, expected, err_msg=isa)
        np.testing.assert_array_equal(parts, expected, err_msg=f"{isa}, cut")


def test_instruction_set_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="name is 'mmx'; allowed: "):
        polyphase._select_isa("mmx")  # type: ignore[attr-defined]


def digest_of(isa: str) -> str:
    environment = os.environ | {"SOTTOVOCE_ISA": isa}
    done = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True)
    used, digest = done.stdout.split()
    assert used == isa
    return digest


def test_all_instruction_sets_give_the_same_bits() -> None:
    isas = convert.available_isas()
    if len(isas) == 1:
        pytest.skip("this machine runs only the baseline; an x86-64 machine with AVX2 would compare two")
    assert len({digest_of(isa) for isa in isas}) == 1


def test_large_blocks_let_other_threads_run() -> None:
    resampler = StreamResampler(44100, 48000, 1, "best")
    x = np.zeros(2_000_000, np.float32)
    started, seen = threading.Event(), []

    def watch() -> None:
        started.wait()
        seen.append(not done.is_set())

    done = threading.Event()
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 48000, 1, "hq"), "in_samplerate is 0"),
        ((24000, -1, 1, "hq"), "out_samplerate is -1"),
        ((24000.5, 48000, 1, "hq"), "in_samplerate is 24000.5"),
        ((24000, 10**9, 1, "hq"), "out_samplerate is 1000000000"),
        ((24000, 48000, 0, "hq"), "channels is 0"),
        ((24000, 48000, 65, "hq"), "channels is 65"),
        ((24000, 48000, 1, "good"), "quality is 'good'; allowed: 'linear', 'fast'"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple[int, int, int, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        StreamResampler(*arguments)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((4, 3), np.float32), r"x has shape \(4, 3\); it must be \(frames, 2\)"),
        (np.zeros(4, np.float32), r"x has shape \(4,\)"),
        (np.zeros((4, 2)), "x has dtype float64; it must be float32 or int16"),
        (np.zeros((4, 4), np.float32)[:, :2], "C-contiguous"),
    ],
)
def test_bad_arrays_are_named_and_leave_the_state(x: Float, words: str) -> None:
    resampler = StreamResampler(24000, 48000, 2, "fast")
    with pytest.raises((TypeError, ValueError), match=words):
        resampler.process(x)
    assert resampler.flush_frames == 0
    with pytest.raises((TypeError, ValueError), match=words):
        resampler.process_into(x, np.zeros((100, 2), np.float32))
    assert resampler.flush_frames == 0
