from __future__ import annotations

import gc
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import reference
from sottovoce.native.callback import PlaybackCallback
from sottovoce.native.mixer import MAX_BLOCKSIZE, Mixer
from sottovoce.native.rate_converter import QUALITIES
from sottovoce.native.stream_core import StreamCallback
from tests.native.arrays import converted, noise
from tests.native.portaudio import STREAM_CALLBACK, TimeInfo, finish, play
from tests.native.test_mixer import RATE, playing


def test_block_is_what_the_mixer_renders() -> None:
    x = noise(1000, 2)
    mixer, source = playing(x, end=True)
    callback = PlaybackCallback(mixer, 3)
    out = np.concatenate([play(callback, frames) for frames in (256, 1, 500, 443)])
    np.testing.assert_array_equal(out[:1000], x)
    np.testing.assert_array_equal(out[1000:], 0.0)
    counted = callback.counters()
    assert (counted["blocks"], counted["frames"], counted["underruns"]) == (4, 1200, 0)
    assert callback.durations.count == 4
    assert callback.intervals.count == 3
    assert callback.generation == 3
    assert source.first_frame_ns <= callback.last_block_ns <= time.monotonic_ns()


@given(
    st.sampled_from([8000, 44100, 48000, 48001, 96000]),
    st.sampled_from(QUALITIES),
    st.integers(1, 4),
    st.lists(st.integers(1, 700), min_size=1, max_size=4),
)
@settings(deadline=None)
def test_stream_of_another_format_is_resampled_and_mapped(
    samplerate: int, quality: str, channels: int, blocks: list[int]
) -> None:
    x = noise(3000, 2)
    mixer, _ = playing(x, end=True)
    callback = PlaybackCallback(mixer, 0, samplerate, channels, quality)
    silence = np.zeros((2000, 2), np.float32)
    whole = converted(np.concatenate([x, silence]), RATE, samplerate, quality, end=False)
    expected = reference.mix_channels(whole, channels)
    parts, total, turn = [], 0, 0
    while total < len(expected):
        parts.append(play(callback, blocks[turn % len(blocks)]))
        total, turn = total + len(parts[-1]), turn + 1
    np.testing.assert_array_equal(np.concatenate(parts)[: len(expected)], expected)
    assert callback.counters()["frames"] == total


def test_fade_in_rises_for_5_ms_and_is_exact_from_then_on_whatever_the_blocks() -> None:
    x = noise(2000, 2)
    mixer, _ = playing(x)
    callback = PlaybackCallback(mixer, 2)
    callback.fade_in()
    out = np.concatenate([play(callback, blocksize) for blocksize in (1, 100, 7, 400, 500)])
    edge = 1 << ((RATE // 150).bit_length() - 1)
    gain = np.minimum(np.arange(1, len(out) + 1) / edge, 1.0)[:, None]
    np.testing.assert_allclose(out, x[: len(out)] * gain, atol=1e-6)
    np.testing.assert_array_equal(out[edge - 1 :], x[edge - 1 : len(out)])


def test_held_callback_is_silent_and_takes_nothing_until_it_is_released() -> None:
    x = noise(1000, 2)
    mixer, source = playing(x)
    callback = PlaybackCallback(mixer, 2)
    callback.hold()
    np.testing.assert_array_equal(play(callback, 100), 0.0)
    assert source.played_frames == 0
    assert (callback.counters()["blocks"], callback.counters()["held_blocks"]) == (1, 1)
    assert callback.last_block_ns > 0, "blocks flow"
    callback.release()
    np.testing.assert_array_equal(play(callback, 100), x[:100])
    assert source.played_frames == 100


def test_format_of_the_mixer_is_the_default() -> None:
    callback = PlaybackCallback(Mixer(44100, 2), 0)
    assert (callback.samplerate, callback.channels) == (44100, 2)


def test_retired_callback_decays_into_silence_counts_it_and_touches_nothing_else() -> None:
    mixer, source = playing(noise(1000, 2))
    old, new = PlaybackCallback(mixer, 0), PlaybackCallback(mixer, 1)
    last = play(old, 100)[-1]
    before = old.counters()
    old.retire()
    edge = 1 << ((RATE // 150).bit_length() - 1)
    decayed = np.concatenate([play(old, 100) for _ in range(6)])
    np.testing.assert_allclose(decayed[:edge], last * (np.arange(edge - 1, -1, -1) / edge)[:, None], atol=1e-6)
    np.testing.assert_array_equal(decayed[edge:], 0.0)
    assert old.counters() == before | {"generation_mismatches": 6}
    assert source.played_frames == 100
    assert mixer.counters()["blocks"] == 1
    play(new, 100)
    assert source.played_frames == 200
    assert new.counters()["generation_mismatches"] == 0


def test_block_too_long_is_silence_and_the_stream_lives_on() -> None:
    x = noise(1000, 2)
    mixer, _ = playing(x)
    callback = PlaybackCallback(mixer, 0)
    np.testing.assert_array_equal(play(callback, MAX_BLOCKSIZE + 1), 0.0)
    assert callback.counters()["shape_mismatches"] == 1
    np.testing.assert_array_equal(play(callback, 1000), x)


def test_longest_block_is_played() -> None:
    mixer, _ = playing(noise(1000, 2), end=True)
    callback = PlaybackCallback(mixer, 0)
    assert np.abs(play(callback, MAX_BLOCKSIZE)[:1000]).max() > 0
    assert callback.counters()["shape_mismatches"] == 0


def test_missing_buffer_is_counted() -> None:
    callback = PlaybackCallback(Mixer(RATE, 2), 0)
    assert STREAM_CALLBACK(callback.address)(None, None, 64, None, 0, callback.userdata) == 0
    assert callback.counters()["errors"] == 1


def test_running_dry_and_idleness_are_counted_apart() -> None:
    mixer, source = playing(noise(300, 2))
    callback = PlaybackCallback(mixer, 0)
    for _ in range(3):
        play(callback, 256)
    source.end(0)
    for _ in range(5):
        play(callback, 256)
    counted = callback.counters()
    assert (counted["underruns"], counted["starvations"], counted["idle_blocks"]) == (2, 1, 5)


def test_flags_of_portaudio_are_counted_by_name() -> None:
    callback = PlaybackCallback(Mixer(RATE, 2), 0)
    play(callback, 16, flags=4 | 16)
    play(callback, 16, flags=4)
    play(callback, 16, flags=1 | 2 | 8)
    counted = callback.counters()
    names = ("pa_input_underflows", "pa_input_overflows", "pa_output_underflows", "pa_output_overflows")
    assert [counted[name] for name in (*names, "pa_priming_blocks")] == [1, 1, 2, 1, 1]


def test_delay_holds_that_of_the_resampler() -> None:
    callback = PlaybackCallback(Mixer(RATE, 2), 0, 24_000, 2, "standard")
    play(callback, 16, times=TimeInfo(0.0, 100.0, 100.02))
    assert callback.dac_delay_ns == pytest.approx(20_000_000 + 96 / RATE * 1e9, abs=2e9 / RATE)


@pytest.mark.parametrize(("delay_s", "expected_ns"), [(0.02, 20_000_000), (0.0, 0), (-1.0, 0), (1e6, 0)])
def test_delay_of_the_device_is_kept_unless_it_is_nonsense(delay_s: float, expected_ns: int) -> None:
    callback = PlaybackCallback(Mixer(RATE, 2), 0)
    play(callback, 16, times=TimeInfo(0.0, 100.0, 100.0 + delay_s))
    assert callback.dac_delay_ns == pytest.approx(expected_ns, abs=10)


def test_finished_is_seen() -> None:
    callback = PlaybackCallback(Mixer(RATE, 2), 0)
    assert not callback.finished
    finish(callback)
    assert callback.finished


def test_callback_keeps_its_mixer() -> None:
    callback = PlaybackCallback(playing(noise(100, 2))[0], 0)
    gc.collect()
    assert np.abs(play(callback, 100)).max() > 0


def test_resampling_has_its_own_durations() -> None:
    mixer, _ = playing(noise(1000, 2), samplerate=24_000)
    callback = PlaybackCallback(mixer, 0)
    play(callback, 256)
    assert callback.resampling.count == 1
    assert callback.resampling.max_ns <= callback.durations.max_ns


def test_drive_calls_the_callback() -> None:
    mixer, source = playing(noise(10_000, 2))
    callback = PlaybackCallback(mixer, 0)
    assert callback.drive(100, 50) > 0
    assert callback.counters()["blocks"] == 50
    assert source.played_frames == 5000


@pytest.mark.parametrize(
    ("blocksize", "blocks", "words"),
    [(0, 1, "blocksize is 0"), (1 << 21, 1, "blocksize is 2097152"), (64, 0, "blocks is 0"), (64.0, 1, "blocksize is")],
)
def test_drive_out_of_range_is_refused(blocksize: int, blocks: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PlaybackCallback(Mixer(RATE, 2), 0).drive(blocksize, blocks)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((-1,), "generation is -1"), ((0, 999), "samplerate is 999"), ((0, 48000, 65), "channels is 65")],
)
def test_arguments_out_of_range_are_refused(arguments: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PlaybackCallback(Mixer(RATE, 2), *arguments)


def test_common_part_alone_is_refused() -> None:
    with pytest.raises(TypeError, match="made only as"):
        StreamCallback()
