"""What a mixer plays: content, sums, gains, pauses, underruns. Flushes are in test_flush.py."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sottovoce.native.mixer import MAX_SOURCES, Mixer, Source
from sottovoce.native.rate_converter import QUALITIES
from tests.native.arrays import Float, converted, largest_step, noise, render, sine

RATE = 48_000
FADE_FRAMES = 240  # 5 ms
NEVER_S = 3600.0  # of undriven_s: however slow this machine is, blocks count as being rendered


def playing(
    x: Float, *, samplerate: int = RATE, prebuffer_frames: int = 0, end: bool = False, quality: str = "standard"
) -> tuple[Mixer, Source]:
    """A mixer with one source that has ``x`` queued."""
    mixer = Mixer(RATE, x.shape[1], undriven_s=NEVER_S)
    source = mixer.add_source(samplerate, x.shape[1], 16_384, prebuffer_frames, quality)
    assert source.write(x, source.generation) == len(x)
    if end:
        source.end(source.generation)
    return mixer, source


@given(st.integers(1, 2000), st.integers(1, 3), st.integers(1, 700))
@settings(deadline=None)
def test_content_is_played_bit_for_bit_then_silence(frames: int, channels: int, blocksize: int) -> None:
    x = noise(frames, channels)
    mixer, source = playing(x, end=True)
    out = render(mixer, frames + 300, blocksize)
    np.testing.assert_array_equal(out[:frames], x)
    np.testing.assert_array_equal(out[frames:], 0.0)
    assert source.played_frames == source.consumed_frames == frames
    assert source.counters()["starvations"] == mixer.counters()["underruns"] == 0


@given(
    st.sampled_from([8000, 22050, 44100, 47999, 96000]),
    st.sampled_from(QUALITIES),
    st.integers(1, 3),
    st.integers(1, 1500),
    st.lists(st.integers(1, 600), min_size=1, max_size=4),
)
@settings(deadline=None)
def test_content_of_another_samplerate_is_resampled_whole(
    samplerate: int, quality: str, channels: int, frames: int, blocks: list[int]
) -> None:
    """Whatever the blocks are, these are the bits of the whole signal resampled at once, its end included."""
    x = noise(frames, channels)
    mixer, source = playing(x, samplerate=samplerate, end=True, quality=quality)
    expected = converted(x, samplerate, RATE, quality)
    out = np.empty((len(expected) + 50, channels), np.float32)
    position = turn = 0
    while position < len(out):
        block = out[position : position + blocks[turn % len(blocks)]]
        mixer.render_into(block)
        position, turn = position + len(block), turn + 1
    np.testing.assert_array_equal(out[: len(expected)], np.clip(expected, -1.0, 1.0))
    np.testing.assert_array_equal(out[len(expected) :], 0.0)
    assert mixer.counters()["resample_errors"] == source.counters()["starvations"] == 0
    assert (source.played_frames, source.held_frames) == (frames, 0)


@pytest.mark.parametrize("out_samplerate", [16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("in_samplerate", [16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("quality", ["linear", "standard"])
def test_pitch_and_speed_stay_right(in_samplerate: int, out_samplerate: int, quality: str) -> None:
    mixer = Mixer(out_samplerate, 1, undriven_s=NEVER_S)
    source = mixer.add_source(in_samplerate, 1, 1 << 16, quality=quality)
    source.write(sine(in_samplerate, in_samplerate, 997.0), 0)
    source.end(0)
    out = render(mixer, out_samplerate + 500)[:, 0].astype(np.float64)
    assert np.count_nonzero(out[out_samplerate:]) == 0, "a second lasts a second"
    body = out[1000 : out_samplerate - 1000]
    times = np.arange(1000, out_samplerate - 1000) / out_samplerate
    if quality != "linear":  # a frame is an interval: the middle of the first one of both streams is half of it late
        times = times + 0.5 / out_samplerate - 0.5 / in_samplerate
    ideal = 0.5 * np.sin(2 * np.pi * 997.0 * times)
    assert np.abs(body - ideal).max() < (0.5 * 0.02 if quality == "linear" else 0.5 * 2e-3)


@pytest.mark.parametrize("samplerate", [8000, 24_000, 44_100])
def test_what_the_resampler_holds_is_not_played_yet(samplerate: int) -> None:
    mixer, source = playing(noise(8000), samplerate=samplerate, quality="hq")
    assert (source.played_frames, source.held_frames) == (0, 0)
    for _ in range(5):
        render(mixer, 256)
        heard = mixer.rendered_frames * samplerate / RATE
        assert abs(source.played_frames - heard) <= 1.0
        assert source.played_frames + source.held_frames + source.queued_frames == 8000
    assert 0 < source.held_frames <= source.lookahead_frames


def test_source_waits_for_what_its_resampler_needs_to_begin() -> None:
    x = noise(1000)
    mixer, source = playing(x[:20], samplerate=24_000, quality="hq")
    render(mixer, 512)
    assert (source.first_frame_ns, source.counters()["starvations"]) == (0, 0)
    source.write(x[20:], 0)
    source.end(0)
    np.testing.assert_array_equal(render(mixer, 2000), converted(x, 24_000, RATE, "hq"))


def test_sources_are_summed_and_their_channels_mapped() -> None:
    mixer = Mixer(RATE, 2)
    left_and_right, mono = noise(500, 2, level=0.3), noise(500, 1, seed=1, level=0.3)
    for x in (left_and_right, mono):
        source = mixer.add_source(RATE, x.shape[1], 512)
        source.write(x, 0)
    np.testing.assert_allclose(render(mixer, 500), left_and_right + mono, atol=1e-7)


@given(st.integers(1, 600), st.integers(1, 3), st.floats(0.0, 2.0, width=32), st.sampled_from([0.0, 0.01]))
@settings(deadline=None)
def test_sum_has_the_bits_of_products_rounded_then_added(
    blocksize: int, channels: int, gain: float, ramp_s: float
) -> None:
    """A block is added straight from the ring, or over a copy (in a ramp, at the start): the bits are the same."""
    mixer = Mixer(RATE, channels, undriven_s=NEVER_S)
    signals = [noise(5000, channels, seed=seed, level=0.2) for seed in (0, 1)]
    sources = [mixer.add_source(RATE, channels, 1024) for _ in signals]
    sources[1].set_gain(gain, ramp_s)
    gains = np.full(5000, np.float32(gain))
    moving = round(ramp_s * RATE)
    slope = (np.float32(gain) - np.float32(1)) / np.float32(moving) if moving else np.float32(0)
    gains[:moving] = np.float32(1) + slope * np.arange(1, moving + 1, dtype=np.float32)
    parts = []
    for start in range(0, 5000, blocksize):
        for x, source in zip(signals, sources, strict=True):
            source.write(x[start : start + blocksize], 0)
        parts.append(render(mixer, len(signals[0][start : start + blocksize]), blocksize))
    expected = signals[0] + signals[1] * gains[:, None]
    np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_sum_is_clipped_and_nan_and_infinity_never_leave() -> None:
    x = np.full((100, 1), 0.25, np.float32)
    x[10], x[20], x[30], x[40] = np.nan, np.inf, -np.inf, 7.0
    mixer, _ = playing(x)
    out = render(mixer, 100)[:, 0]
    assert (out[10], out[20], out[30], out[40]) == (0.0, 1.0, -1.0, 1.0)
    assert np.isfinite(out).all()
    assert mixer.counters()["scrubbed_samples"] == 3


def test_gain_moves_in_a_straight_line() -> None:
    mixer, source = playing(np.ones((1000, 1), np.float32) * 0.5)
    source.set_gain(0.25, 480 / RATE)
    out = render(mixer, 1000, 100)[:, 0]
    np.testing.assert_allclose(out[:480], 0.5 - 0.375 * np.arange(1, 481) / 480, atol=1e-6)
    np.testing.assert_array_equal(out[480:], np.float32(0.125))
    assert source.gain == 0.25


def test_gain_reached_in_silence_is_there_when_it_plays() -> None:
    mixer = Mixer(RATE, 1)
    source = mixer.add_source(RATE, 1, 64)
    source.set_gain(0.5, 0.01)
    render(mixer, 1000)
    source.write(np.ones((64, 1), np.float32), 0)
    np.testing.assert_array_equal(render(mixer, 64), 0.5)


def test_pause_fades_keeps_the_place_and_resume_fades_in() -> None:
    x = sine(6000, RATE)
    mixer, source = playing(x, end=True)
    before = render(mixer, 1000)
    source.pause()
    paused = render(mixer, 1000)
    assert source.paused
    assert source.played_frames == 1000 + FADE_FRAMES
    np.testing.assert_array_equal(paused[FADE_FRAMES:], 0.0)
    source.resume()
    resumed = render(mixer, 5000)
    assert not source.paused
    whole = np.concatenate([before, paused, resumed])
    assert largest_step(whole) <= 1.2 * largest_step(x)
    np.testing.assert_array_equal(resumed[FADE_FRAMES : 5000 - 240], x[1000 + 2 * FADE_FRAMES :])
    assert source.played_frames == 6000
    assert source.counters()["starvations"] == 0


@pytest.mark.parametrize("hz", [60.0, 440.0, 3000.0])
@pytest.mark.parametrize(("samplerate", "quality"), [(RATE, "linear"), (24_000, "linear"), (24_000, "standard")])
def test_running_dry_makes_no_click_and_comes_back_with_a_ramp(hz: float, samplerate: int, quality: str) -> None:
    x = sine(9000, samplerate, hz)
    x[-500:] *= np.linspace(1, 0, 500, dtype=np.float32)[:, None]  # what it ends with is its own affair
    first = 4003
    mixer, source = playing(x[:first], samplerate=samplerate, prebuffer_frames=1000, quality=quality)
    dry = render(mixer, 10_000)
    source.write(x[first : first + 999], 0)
    waiting = render(mixer, 512)
    np.testing.assert_array_equal(waiting, 0.0)
    source.write(x[first + 999 :], 0)
    source.end(0)
    back = render(mixer, 12_000)
    expected = converted(x, samplerate, RATE, quality)
    assert largest_step(np.concatenate([dry, waiting, back])) <= 1.2 * largest_step(expected)
    assert source.played_frames == len(x)
    assert source.counters()["starvations"] == mixer.counters()["starvations"] == 1
    # not a frame of the content is lost or moved: after the ramp it is the reference again
    played_before = len(converted(x[:first], samplerate, RATE, quality, end=False))
    rest = expected[played_before:]
    np.testing.assert_allclose(back[FADE_FRAMES : len(rest)], rest[FADE_FRAMES:], atol=1e-6)


def test_hold_decays_within_5_ms() -> None:
    mixer, _ = playing(np.full((100, 1), 0.5, np.float32))
    out = render(mixer, 1000)[:, 0]
    np.testing.assert_allclose(out[100:340], 0.5 * (1 - np.arange(1, 241) / 240), atol=1e-6)
    np.testing.assert_array_equal(out[340:], 0.0)


def test_end_makes_running_dry_idleness() -> None:
    mixer, source = playing(noise(1000), end=True)
    render(mixer, 2560)
    assert source.counters()["starvations"] == 0
    counted = mixer.counters()
    assert (counted["blocks"], counted["underruns"], counted["idle_blocks"]) == (10, 0, 6)


def test_end_after_running_dry_ends_the_starvation() -> None:
    mixer, source = playing(noise(100))
    render(mixer, 512)
    source.end(0)
    render(mixer, 512)
    assert mixer.counters()["underruns"] == 2
    assert source.counters()["starvations"] == 1
    assert source.counters()["starved_frames"] == 512 - 100


def test_more_after_the_end_is_a_new_utterance() -> None:
    mixer, source = playing(noise(100), end=True)
    render(mixer, 256)
    second = noise(100, seed=1)
    source.write(second, 0)
    source.end(0)
    np.testing.assert_array_equal(render(mixer, 256)[:100], second)
    assert source.counters()["starvations"] == 0


def test_prebuffer_is_waited_for_unless_the_end_was_said() -> None:
    x = noise(99)
    mixer, source = playing(x, prebuffer_frames=100)
    np.testing.assert_array_equal(render(mixer, 256), 0.0)
    assert mixer.counters()["idle_blocks"] == 1
    source.end(0)
    np.testing.assert_array_equal(render(mixer, 99), x)


def test_position_and_first_frame_time_follow_the_playing() -> None:
    mixer, source = playing(noise(1000, 1), samplerate=24_000)
    assert (source.played_frames, source.first_frame_ns) == (0, 0)
    render(mixer, 512)
    first_ns = source.first_frame_ns
    assert first_ns > 0
    assert 255 <= source.played_frames <= 257
    render(mixer, 512)
    assert source.first_frame_ns == first_ns
    assert source.queued_frames == 1000 - source.played_frames - source.held_frames


def test_full_ring_takes_what_it_has_room_for() -> None:
    mixer = Mixer(RATE, 1)
    source = mixer.add_source(RATE, 1, 100)
    x = noise(200)
    assert source.capacity_frames == source.writable_frames == 128
    assert source.write(x, 0) == 128
    assert source.counters()["short_writes"] == 1
    assert (source.queued_frames, source.writable_frames, source.written_frames) == (128, 0, 128)
    render(mixer, 28)
    assert source.write(x[128:], 0) == 28


def test_removed_source_fades_out_and_its_place_is_free() -> None:
    x = np.full((5000, 1), 0.5, np.float32)
    mixer = Mixer(RATE, 1, max_sources=1, undriven_s=NEVER_S)
    source = mixer.add_source(RATE, 1, 8192)
    source.write(x, 0)
    before = render(mixer, 256)
    mixer.remove_source(source)
    with pytest.raises(RuntimeError, match="0 sources and 1 about to leave; max_sources is 1"):
        mixer.add_source(RATE, 1, 64)
    after = render(mixer, 512)
    assert largest_step(np.concatenate([before, after])) <= 0.5 / FADE_FRAMES + 1e-6
    np.testing.assert_array_equal(after[FADE_FRAMES:], 0.0)
    mixer.add_source(RATE, 1, 64)
    assert source.write(x, 0) == 0
    assert source.counters()["stale_writes"] == 1
    mixer.remove_source(source)
    with pytest.raises(RuntimeError, match="was removed"):
        source.pause()


def test_removed_source_is_freed_only_after_the_callback_let_go() -> None:
    mixer = Mixer(RATE, 1, undriven_s=NEVER_S)
    source = mixer.add_source(RATE, 1, 64)
    render(mixer, 64)
    mixer.remove_source(source)
    assert is_kept(mixer, source)
    render(mixer, 64)
    mixer.remove_source(source)
    assert not is_kept(mixer, source)


def is_kept(mixer: Mixer, source: Source) -> bool:
    """Whether the mixer still holds the source, in one of its lists."""
    return any(source in held for held in gc.get_referents(mixer) if isinstance(held, list))


def test_sources_come_and_go_with_nobody_listening() -> None:
    mixer = Mixer(RATE, 1)
    for _ in range(3 * MAX_SOURCES):
        sources = [mixer.add_source(RATE, 1, 64) for _ in range(MAX_SOURCES)]
        with pytest.raises(RuntimeError, match="max_sources is 32"):
            mixer.add_source(RATE, 1, 64)
        for source in sources:
            mixer.remove_source(source)


def test_commands_do_not_pile_up_with_nobody_listening() -> None:
    mixer = Mixer(RATE, 1)
    source = mixer.add_source(RATE, 1, 64)
    for gain in range(1000):
        source.set_gain(gain / 1000, 0.0)
    source.write(np.ones((64, 1), np.float32), 0)
    np.testing.assert_array_equal(render(mixer, 64), np.float32(0.999))


def test_full_command_queue_says_so() -> None:
    mixer, source = playing(noise(64))
    render(mixer, 64)
    for _ in range(256):
        source.set_gain(0.5)
    with pytest.raises(RuntimeError, match="queue of 256 commands is full"):
        source.set_gain(0.5)
    render(mixer, 64)
    source.set_gain(0.5)


def test_source_of_another_mixer_is_refused() -> None:
    source = Mixer(RATE, 1).add_source(RATE, 1, 64)
    with pytest.raises(ValueError, match="belongs to another mixer"):
        Mixer(RATE, 1).remove_source(source)


def test_source_outlives_the_name_of_its_mixer() -> None:
    source = Mixer(RATE, 1).add_source(RATE, 1, 64)
    gc.collect()
    assert source.write(noise(64), 0) == 64
    assert source.flush() == 1


def test_histogram_of_a_mixer_outlives_it() -> None:
    mixer = Mixer(RATE, 1)
    latencies = mixer.flush_latencies
    del mixer
    gc.collect()
    assert latencies.count == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((999, 1), "samplerate is 999; .*1000..768000"),
        ((RATE, 0), "channels is 0; .*1..64"),
        ((RATE, 65), "channels is 65"),
        ((RATE, 1, 0), "max_sources is 0; .*1..32"),
        ((RATE, 1, 33), "max_sources is 33"),
        ((RATE, 1, 1, -1.0), "undriven_s is -1.0"),
    ],
)
def test_mixer_out_of_range_is_refused(arguments: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Mixer(*arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((999, 1, 64), "samplerate is 999"),
        ((RATE, 65, 64), "channels is 65"),
        ((RATE, 1, 0), "capacity_frames is 0"),
        ((RATE, 1, 64, 65), "prebuffer_frames is 65; it must be a whole number, 0..64"),
    ],
)
def test_source_out_of_range_is_refused(arguments: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Mixer(RATE, 1).add_source(*arguments)


def test_gain_out_of_range_is_refused() -> None:
    source = Mixer(RATE, 1).add_source(RATE, 1, 64)
    for gain, ramp_s in ((-0.1, 0.0), (16.1, 0.0), (float("nan"), 0.0), (1.0, -1.0), (1.0, 11.0)):
        with pytest.raises(ValueError, match=r"gain is|ramp_s is"):
            source.set_gain(gain, ramp_s)


def test_wrong_arrays_are_refused() -> None:
    mixer = Mixer(RATE, 2)
    source = mixer.add_source(RATE, 2, 64)
    with pytest.raises(ValueError, match=r"x has shape \(4, 1\); it must be \(frames, 2\)"):
        source.write(np.zeros((4, 1), np.float32), 0)
    with pytest.raises(TypeError, match="out has dtype float64"):
        mixer.render_into(np.zeros((4, 2)))  # type: ignore[arg-type]
