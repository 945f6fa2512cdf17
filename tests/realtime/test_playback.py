"""Played through PortAudio on the virtual sound card, and recorded from its monitor."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from sottovoce.audio.player import Player
from sottovoce.audio.resampler import Resampler
from tests.realtime.signals import Audio, error_db, excerpt, longest_gap_frames, noise, speech_like
from tests.support.soundcard import SoundCard, wait_until

pytestmark = pytest.mark.device

#: A test machine is shared, and stands still for longer than the few ms that a device of its own would ask for.
LATENCY_S = 0.1


@contextlib.contextmanager
def gil_hogged() -> Iterator[None]:
    """Threads that want the GIL all the time, and hold it for long in C calls."""
    stop = threading.Event()
    numbers = list(range(200_000, 0, -1))
    table = {str(number): [number] * 20 for number in range(5_000)}

    def loop() -> None:
        while not stop.is_set():
            sum(number * number for number in range(5_000))

    def long_calls() -> None:
        while not stop.is_set():
            sorted(numbers, key=str)
            json.dumps(table)

    threads = [threading.Thread(target=work, name=work.__name__) for work in (loop, long_calls)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def resampled(x: Audio, in_samplerate: int, out_samplerate: int) -> Audio:
    """What the player's own resampler makes of ``x`` in one piece; its quality is tested elsewhere."""
    resampler = Resampler(in_samplerate, out_samplerate)
    return np.concatenate([resampler.process(x), resampler.flush()]).reshape(-1)


def test_every_frame_arrives_once_and_in_order(sound_card: SoundCard) -> None:
    x = noise(3 * 48000)
    recording = sound_card.record()
    with Player(48000, 2, device="vs48", latency=LATENCY_S) as player:
        player.write(x)
        assert player.drain(30.0)
        state = player.snapshot_state()
    y = excerpt(recording.stop()[:, 0], x)
    assert np.array_equal(y, x)
    assert state.stream.counters["underruns"] == 0
    assert state.sources[0].played_s == 3.0


def test_every_frame_arrives_with_the_gil_hogged(sound_card: SoundCard) -> None:
    x = noise(5 * 48000)
    recording = sound_card.record()
    with Player(48000, 2, device="vs48", latency=LATENCY_S) as player:
        player.write(x[: 2 * 48000])
        with gil_hogged():
            player.write(x[2 * 48000 :])
            player.drain(30.0)
            state = player.snapshot_state()
    y = excerpt(recording.stop()[:, 0], x)
    assert np.array_equal(y, x)
    assert state.stream.counters["underruns"] == 0
    assert state.stream.recreates == 0, "a starved process is no reason to doubt the stream"


def test_speech_of_another_rate_is_whole_and_without_a_gap(sound_card: SoundCard) -> None:
    x = speech_like(2.0, 24000)
    recording = sound_card.record()
    with Player(48000, 2, latency=LATENCY_S) as player, player.open_source(24000) as source:
        for start in range(0, len(x), 1000):
            source.write(x[start : start + 1000])
        source.end()
        assert source.drain(30.0)
        assert source.played_s == pytest.approx(2.0, abs=1e-3)
    expected = resampled(x, 24000, 48000)
    y = excerpt(recording.stop()[:, 0], expected)
    assert error_db(y, expected) < -60.0
    assert longest_gap_frames(y) <= longest_gap_frames(expected) + 48


def test_speech_on_a_card_of_another_rate_keeps_speed_and_pitch(sound_card: SoundCard) -> None:
    x = speech_like(2.0, 48000)
    recording = sound_card.record("vs44", 48000)
    with Player(48000, 2, device="vs44", latency=LATENCY_S) as player:
        player.write(x)
        assert player.drain(30.0)
    y = excerpt(recording.stop()[:, 0], x)
    assert len(y) == len(x)
    # the system's own resampler is in the way, twice, and moves the sound by a fraction of a frame
    assert np.corrcoef(y, x)[0, 1] > 0.99


def test_card_rate_is_used_if_preferred(sound_card: SoundCard) -> None:
    x = speech_like(2.0, 48000)
    recording = sound_card.record("vs44", 44100)
    with Player(48000, 2, device="vs44", latency=LATENCY_S, prefer_stream_rate="device") as player:
        assert player.snapshot_state().samplerate == 44100
        player.write(x)
        assert player.drain(30.0)
    expected = resampled(x, 48000, 44100)
    y = excerpt(recording.stop()[:, 0], expected)
    assert error_db(y, expected) < -60.0


def test_flush_silences_within_its_fade(sound_card: SoundCard) -> None:
    recording = sound_card.record()
    with Player(48000, 1, device="vs48", latency=LATENCY_S) as player, player.open_source() as source:
        source.write(np.full(2 * 48000, 0.5, np.float32))
        wait_until(lambda: source.played_s > 0.3, 10.0, "sound")
        generation = source.flush(timeout_s=5.0)
        assert source.silent
        source.write(np.full(4800, -0.5, np.float32), generation)
        source.end()
        assert source.drain(10.0)
        assert player.snapshot_state().flush.count == 1
    y = recording.stop()[:, 0]
    assert np.count_nonzero(y < -0.49) == 4800, "the new sound is whole"
    steps = np.abs(np.diff(y[: np.argmax(y < 0)]))
    onset = int(np.argmax(steps))
    assert np.max(steps[onset + 1 :]) < 0.5 / 200, "the old one ends in a fade of 240 frames"


def test_two_players_share_a_card(sound_card: SoundCard) -> None:
    recording = sound_card.record()
    x, z = noise(48000, 1) / 2, noise(48000, 2) / 2
    with (
        Player(48000, 1, device="vs48", latency=LATENCY_S) as one,
        Player(48000, 1, device="vs48", latency=LATENCY_S) as two,
    ):
        one.write(x)
        two.write(z)
        assert one.drain(10.0)
        assert two.drain(10.0)
    y = recording.stop()[:, 0]
    for signal in (x, z):
        assert np.corrcoef(excerpt(y, signal), signal)[0, 1] > 0.6, "the other one is on top of it"
