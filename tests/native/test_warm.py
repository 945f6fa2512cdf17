"""A device that sleeps gets a lead-in before sound, and noise in place of silence; nothing of the sound is lost."""

from __future__ import annotations

import numpy as np
import pytest

from sottovoce.native.callback import PlaybackCallback
from sottovoce.native.mixer import Mixer
from sottovoce.native.source import Source
from tests.native.arrays import Float, noise
from tests.native.portaudio import play
from tests.native.test_mixer import RATE, playing

BLOCK = 256
LEAD_IN = 1000
SLEEPS_AFTER = 2000

#: Two steps of 16 bits, as in warm.h.
NOISE_PEAK = 2 / 32768


def opened(
    mixer: Mixer, *, lead_in: int = LEAD_IN, keeps_warm: bool = False, samplerate: int = RATE
) -> PlaybackCallback:
    callback = PlaybackCallback(mixer, 0, samplerate)
    callback.keep_awake(lead_in / samplerate, SLEEPS_AFTER / samplerate, keeps_warm)
    return callback


def blocks(callback: PlaybackCallback, count: int) -> Float:
    return np.concatenate([play(callback, BLOCK) for _ in range(count)])


def sound_of(out: Float, x: Float) -> int:
    """At which frame ``x`` begins in ``out``, bit for bit and once."""
    start = int(np.flatnonzero(np.abs(out[:, 0]) > NOISE_PEAK)[0])
    np.testing.assert_array_equal(out[start : start + len(x)], x)
    assert np.abs(out[start + len(x) :]).max(initial=0.0) <= NOISE_PEAK
    return start


def write(source: Source, frames: int) -> Float:
    x = 0.5 + 0.1 * noise(frames, 1)
    source.write(x, source.generation)
    source.end(source.generation)
    return x


def mono() -> tuple[Mixer, Source]:
    mixer = Mixer(RATE, 1)
    return mixer, mixer.add_source(RATE, 1, 20_000)


def test_new_stream_begins_with_the_lead_in_and_then_plays_everything() -> None:
    mixer, source = mono()
    x = write(source, 3000)
    callback = opened(mixer)
    out = blocks(callback, 20)
    start = sound_of(out, x)
    assert LEAD_IN <= start < LEAD_IN + BLOCK
    lead_in = np.abs(out[:start])
    assert 0.0 < lead_in.max() <= NOISE_PEAK, "something that a device takes for a signal"
    assert np.count_nonzero(out[start + len(x) :]) == 0, "and true silence where none is asked for"


def test_times_and_counters_are_those_of_the_sound() -> None:
    mixer, source = mono()
    write(source, 3000)
    callback = opened(mixer)
    while not source.first_frame_ns:
        assert source.played_frames == 0
        play(callback, BLOCK)
    assert callback.counters()["frames"] > LEAD_IN
    assert source.first_frame_ns == callback.last_block_ns
    assert source.played_frames == BLOCK
    assert callback.counters()["starvations"] == 0
    assert callback.counters()["idle_blocks"] == callback.counters()["blocks"] - 1


def test_short_pause_needs_no_lead_in_and_a_long_one_does() -> None:
    mixer, source = mono()
    callback = opened(mixer)
    write(source, 500)
    blocks(callback, LEAD_IN // BLOCK + 3)
    blocks(callback, SLEEPS_AFTER // BLOCK - 1)
    x = write(source, 500)
    assert sound_of(blocks(callback, 4), x) == 0
    blocks(callback, SLEEPS_AFTER // BLOCK + 1)
    x = write(source, 500)
    assert LEAD_IN <= sound_of(blocks(callback, 10), x) < LEAD_IN + BLOCK


def test_device_that_does_not_sleep_plays_at_once() -> None:
    mixer, source = mono()
    x = write(source, 500)
    assert sound_of(blocks(opened(mixer, lead_in=0), 4), x) == 0


def test_stream_that_was_opened_anew_goes_on_after_its_lead_in() -> None:
    mixer, source = mono()
    x = write(source, 5000)
    before = blocks(PlaybackCallback(mixer, 0), 4)
    out = blocks(opened(mixer), 24)
    np.testing.assert_array_equal(before, x[: 4 * BLOCK])
    assert LEAD_IN <= sound_of(out, x[4 * BLOCK :]) < LEAD_IN + BLOCK


def test_flush_while_it_wakes_up_takes_effect_at_once_and_nothing_of_it_is_heard() -> None:
    mixer, source = mono()
    write(source, 3000)
    callback = opened(mixer)
    play(callback, BLOCK)
    generation = source.flush()
    play(callback, BLOCK)
    assert source.acknowledged_generation == generation
    x = write(source, 500)
    assert LEAD_IN - 2 * BLOCK <= sound_of(blocks(callback, 10), x) <= LEAD_IN


def test_paused_source_wakes_nothing_up() -> None:
    mixer, source = mono()
    source.pause()
    x = write(source, 500)
    callback = opened(mixer)
    assert np.count_nonzero(blocks(callback, 10)) == 0
    source.resume()
    assert LEAD_IN <= sound_of(blocks(callback, 10), x) < LEAD_IN + BLOCK


def test_source_that_is_removed_while_it_waits_is_let_go() -> None:
    mixer, source = mono()
    write(source, 500)
    callback = opened(mixer)
    play(callback, BLOCK)
    mixer.remove_source(source)
    assert np.abs(blocks(callback, 10)).max() <= NOISE_PEAK
    assert mixer.counters()["blocks"] == 11


def test_kept_warm_every_silence_is_noise_that_nobody_hears() -> None:
    mixer, source = mono()
    callback = opened(mixer, lead_in=0, keeps_warm=True)
    idle = blocks(callback, 40)
    level_dbfs = 10 * np.log10(np.mean(np.square(idle)))
    assert -91 < level_dbfs < -87
    assert np.count_nonzero(idle) > 0.99 * idle.size
    assert abs(np.mean(idle)) < 1e-6
    x = write(source, 500)
    assert sound_of(blocks(callback, 4), x) == 0, "and it never falls asleep"


def test_format_of_the_stream_is_the_one_that_counts() -> None:
    mixer, _ = playing(0.5 + 0.1 * noise(4000, 2), end=True)
    callback = opened(mixer, samplerate=2 * RATE, lead_in=2 * LEAD_IN)
    out = blocks(callback, 40)
    start = int(np.flatnonzero(np.abs(out[:, 0]) > NOISE_PEAK)[0])
    assert 2 * LEAD_IN <= start < 2 * LEAD_IN + BLOCK
    ahead = 48  # what the resampler of the stream needs to begin
    assert mixer.rendered_frames == pytest.approx(40 * BLOCK / 2 + ahead, abs=8)


@pytest.mark.parametrize(("lead_in_s", "sleeps_after_s"), [(-0.1, 1.0), (61.0, 1.0), (0.1, -1.0), (0.1, 1e6)])
def test_what_no_device_needs_is_refused(lead_in_s: float, sleeps_after_s: float) -> None:
    with pytest.raises(ValueError, match=r"_s is .*; it must be seconds"):
        PlaybackCallback(Mixer(RATE, 1), 0).keep_awake(lead_in_s, sleeps_after_s, False)


def test_sound_that_begins_is_whole_and_sound_that_goes_on_rises() -> None:
    mixer, source = mono()
    x = write(source, 3000)
    fresh = opened(mixer)
    fresh.fade_in()
    out = blocks(fresh, 8)
    start = int(np.flatnonzero(np.abs(out[:, 0]) > NOISE_PEAK)[0])
    np.testing.assert_array_equal(out[start:], x[: len(out) - start])
    later = opened(mixer)
    later.fade_in()
    resumed = blocks(later, 8)
    first = int(np.flatnonzero(np.abs(resumed[:, 0]) > NOISE_PEAK)[0])
    assert np.abs(resumed[first, 0]) < 0.1 < np.abs(resumed[first + 400, 0])
