"""Flushes and generations: what is stale fades and is dropped, what is new survives and plays."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sottovoce.native.mixer import Mixer
from tests.native.arrays import largest_step, noise, render, sine
from tests.native.test_mixer import FADE_FRAMES, NEVER_S, RATE, playing


@given(st.integers(1, 600), st.integers(0, 900), st.integers(1, 900), st.integers(1, 300))
@settings(deadline=None)
def test_flush_fades_the_old_and_plays_the_new_whole(before: int, queued: int, frames: int, blocksize: int) -> None:
    old, new = sine(before + queued, RATE), noise(frames)
    mixer, source = playing(old)
    first = render(mixer, before, blocksize)
    assert source.flush() == 1
    assert source.write(new, 1) == frames
    source.end(1)
    second = render(mixer, FADE_FRAMES + frames + 100, blocksize)
    np.testing.assert_array_equal(first, old[:before])
    fade, rest = second[:FADE_FRAMES], second[FADE_FRAMES:]
    assert largest_step(np.concatenate([first, fade, np.zeros((1, 1), np.float32)])) <= 1.2 * largest_step(
        sine(RATE, RATE)
    )
    np.testing.assert_array_equal(rest[:frames], new)
    np.testing.assert_array_equal(rest[frames:], 0.0)
    assert source.acknowledged_generation == 1
    assert source.played_frames == frames
    counted = source.counters()
    assert counted["flushed_frames"] == max(0, queued - FADE_FRAMES)
    assert source.consumed_frames == before + min(queued, FADE_FRAMES) + frames
    assert counted["starvations"] == 0


def test_flush_is_acknowledged_by_the_block_that_ends_the_fade() -> None:
    mixer, source = playing(sine(5000, RATE))
    render(mixer, 256)
    source.flush()
    render(mixer, FADE_FRAMES - 1, 64)
    assert source.acknowledged_generation == 0
    assert (source.played_frames, source.first_frame_ns) == (0, 0)
    render(mixer, 2)
    assert source.acknowledged_generation == 1
    assert source.acknowledged_ns > 0
    assert mixer.flush_latencies.count == 1


def test_flush_of_silence_takes_effect_at_once() -> None:
    mixer, source = playing(noise(100), end=True)
    render(mixer, 256)
    source.flush()
    new = noise(64, seed=1)
    source.write(new, 1)
    np.testing.assert_array_equal(render(mixer, 64), new)


def test_flush_of_a_paused_source_takes_effect_at_once_and_it_stays_paused() -> None:
    mixer, source = playing(sine(5000, RATE))
    render(mixer, 256)
    source.pause()
    render(mixer, 512)
    source.flush()
    new = noise(64)
    source.write(new, 1)
    np.testing.assert_array_equal(render(mixer, 64), 0.0)
    assert source.acknowledged_generation == 1
    source.resume()
    np.testing.assert_array_equal(render(mixer, 64), new)


def test_stale_writer_is_refused_and_counted() -> None:
    mixer, source = playing(noise(100))
    render(mixer, 64)
    source.flush()
    assert source.write(noise(70), 0) == 0
    source.end(0)
    assert source.write(noise(70), 7) == 0
    counted = source.counters()
    assert (counted["stale_writes"], counted["stale_frames"]) == (3, 140)


def test_several_flushes_before_a_block_act_as_the_last() -> None:
    mixer, source = playing(sine(1000, RATE))
    render(mixer, 256)
    for generation in (1, 2, 3):
        assert source.flush() == generation
        source.write(noise(50, seed=generation), generation)
    source.end(3)
    out = render(mixer, FADE_FRAMES + 100)
    np.testing.assert_array_equal(out[FADE_FRAMES : FADE_FRAMES + 50], noise(50, seed=3))
    assert source.acknowledged_generation == 3


def test_flush_resets_the_resampler() -> None:
    mixer, source = playing(noise(1000), samplerate=24_000)
    render(mixer, 255)
    source.flush()
    x = noise(100, seed=1)
    source.write(x, 1)
    source.end(1)
    fresh_mixer, _ = playing(x, samplerate=24_000, end=True)
    np.testing.assert_array_equal(render(mixer, FADE_FRAMES + 200)[FADE_FRAMES:], render(fresh_mixer, 200))


def test_flush_with_nobody_listening_makes_room_at_once() -> None:
    mixer = Mixer(RATE, 1)
    source = mixer.add_source(RATE, 1, 64)
    source.write(noise(64), 0)
    source.flush()
    assert source.acknowledged_generation == 1
    new = noise(64, seed=1)
    assert source.write(new, 1) == 64
    np.testing.assert_array_equal(render(mixer, 64), new)


def test_flush_with_nobody_listening_any_more_makes_room_for_the_writer() -> None:
    mixer = Mixer(RATE, 1, undriven_s=0.0)  # between blocks, nobody listens
    source = mixer.add_source(RATE, 1, 64)
    source.write(noise(64), 0)
    render(mixer, 1)
    source.flush()
    assert source.write(noise(64, seed=1), 1) == 64
    assert mixer.flush_latencies.count == 1


def test_flush_waits_for_the_block_when_somebody_listens() -> None:
    mixer = Mixer(RATE, 1, undriven_s=NEVER_S)
    source = mixer.add_source(RATE, 1, 64)
    render(mixer, 1)
    source.write(noise(64), 0)
    source.flush()
    assert source.acknowledged_generation == 0
    assert source.write(noise(64), 1) == 0
    render(mixer, 1)
    assert source.write(noise(64), 1) == 64


@pytest.mark.parametrize("samplerate", [RATE, 22_050])
def test_storm_of_flushes_from_other_threads_loses_no_count(samplerate: int) -> None:
    mixer = Mixer(RATE, 1)
    source = mixer.add_source(samplerate, 1, 4096, 256)
    stop = threading.Event()

    def write() -> None:
        x = noise(300)
        while not stop.is_set():
            source.write(x, source.generation)

    def command() -> None:
        while not stop.is_set():
            with contextlib.suppress(RuntimeError):  # the queue is full until the next block
                source.pause()
                source.resume()
                source.set_gain(0.5)

    threads = [threading.Thread(target=write, name="writer"), threading.Thread(target=command, name="commander")]
    for thread in threads:
        thread.start()
    out = np.empty((64, 1), np.float32)
    for turn in range(3000):
        mixer.render_into(out)
        assert np.abs(out).max() <= (0.5 if samplerate == RATE else 1.0)  # a band of noise has higher peaks
        if turn % 7 == 0:
            source.flush()
    stop.set()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()
    source.flush()
    source.set_gain(1.0, 0.0)
    source.resume()
    render(mixer, 1024)
    assert source.acknowledged_generation == source.generation
    assert source.queued_frames == 0
    assert source.consumed_frames + source.counters()["flushed_frames"] == source.written_frames
