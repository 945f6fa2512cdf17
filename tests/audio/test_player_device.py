"""The Player on a device: the compiled callback, called by a host whose every event the test decides."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from sottovoce.audio.lifecycle import LifecyclePolicy, StreamState
from sottovoce.audio.output import DeviceOutput
from sottovoce.audio.player import Player
from sottovoce.core.errors import DeviceError
from tests.audio.fakes import FakeHost, make_device, wait_for

#: About 5 ms, in which a new stream rises and an old one decays.
EDGE_FRAMES = 32

RATE = 8000  # so that sixteen thousand frames are a long block, and no watchdog takes a slow machine for a loss


def ramp(frames: int) -> np.ndarray:
    """Every frame differs from every other: what is lost or repeated shows."""
    return (np.arange(1, frames + 1) / (2 * frames)).astype(np.float32)


class Stage:
    """A player on a fake host."""

    def __init__(self, **options: object) -> None:
        self.host = FakeHost()
        policy = LifecyclePolicy(device_query_cooldown_s=0.05)
        self.output = DeviceOutput(host=self.host, policy=policy, blocksize=16000)
        self.player = Player(RATE, 1, output=self.output, **options)  # type: ignore[arg-type]

    def __enter__(self) -> Stage:
        self.player.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.player.close()

    def take(self, blocks: int, frames: int = 256) -> np.ndarray:
        return np.concatenate([self.host.streams[-1].call(frames) for _ in range(blocks)])[:, 0]


def test_device_plays_what_was_written() -> None:
    with Stage() as stage:
        x = ramp(1000)
        stage.player.write(x)
        y = stage.take(3)
        assert np.array_equal(y, x[:768])
        wait_for(lambda: stage.player.snapshot_state().sources[0].played_s == pytest.approx(768 / RATE))


def test_recreate_neither_loses_nor_repeats_a_frame() -> None:
    with Stage() as stage:
        x = ramp(2560)
        stage.player.write(x)
        before = stage.take(5)
        first = stage.host.streams[0]
        first.finish()
        wait_for(lambda: stage.player.snapshot_state().stream.generation == 2)
        after = stage.take(5)
        risen = np.minimum(np.arange(1, 1281) / EDGE_FRAMES, 1.0)
        assert np.allclose(np.concatenate([before, after]), x * np.concatenate([np.ones(1280), risen]), atol=1e-7)
        assert np.array_equal(after[EDGE_FRAMES:], x[1280 + EDGE_FRAMES :]), "after a rise of 5 ms, bit for bit"
        tail = first.call(256)[:, 0]
        assert np.abs(np.diff(tail[:EDGE_FRAMES])).max() < 0.5 / EDGE_FRAMES
        assert not tail[EDGE_FRAMES:].any(), "a stale callback decays, and is silent"
        assert not first.call(256).any()
        assert stage.player.snapshot_state().stream.recreates == 1
        wait_for(lambda: stage.player.snapshot_state().sources[0].played_s == pytest.approx(2560 / RATE))


def test_recreate_on_a_device_of_another_format_keeps_speed_and_pitch() -> None:
    with Stage() as stage:
        x = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)).astype(np.float32)
        stage.player.write(x)
        stage.take(10)
        stage.host.listed = (make_device(7, "headset", samplerate=16000, channels=2, default=True),)
        stage.host.refused_rates = {RATE}
        stage.host.streams[0].finish()
        wait_for(lambda: stage.player.snapshot_state().stream.samplerate == 16000)
        y = stage.take(40)
        spectrum = np.abs(np.fft.rfft(y[:8000]))
        assert np.argmax(spectrum) == 500, "1000 Hz in steps of 2 Hz"
        assert np.abs(y).max() == pytest.approx(0.5, abs=0.02)


def test_lost_device_keeps_what_is_queued_and_plays_it_when_one_comes() -> None:
    with Stage() as stage:
        x = ramp(2560)
        stage.player.write(x)
        stage.take(1)
        stage.host.listed = (make_device(0, "microphone", channels=0),)
        stage.host.streams[0].finish()
        wait_for(lambda: stage.player.snapshot_state().stream.state is StreamState.LOST)
        assert stage.player.snapshot_state().sources[0].queued_s == 2304 / RATE
        stage.host.listed = (make_device(3, "plugged in", default=True),)
        wait_for(lambda: stage.player.snapshot_state().stream.state is StreamState.RUNNING)
        assert np.array_equal(stage.take(9)[EDGE_FRAMES:], x[256 + EDGE_FRAMES :])


def test_flush_while_the_device_is_lost_is_not_heard_afterwards() -> None:
    with Stage() as stage:
        stage.player.write(ramp(2560))
        stage.take(1)
        stage.host.listed = (make_device(0, "microphone", channels=0),)
        stage.host.streams[0].finish()
        wait_for(lambda: stage.player.snapshot_state().stream.state is StreamState.LOST)
        stage.player.flush()
        stage.host.listed = (make_device(3, "plugged in", default=True),)
        wait_for(lambda: stage.player.snapshot_state().stream.state is StreamState.RUNNING)
        assert np.abs(stage.take(9)[RATE // 200 :]).max() == 0.0, "at most its fade of 5 ms"


def test_write_waits_for_the_device_to_make_room() -> None:
    with Stage(buffer_s=0.12) as stage:
        x = ramp(9600)
        done: list[int] = []
        writer = threading.Thread(target=lambda: done.append(stage.player.write(x)))
        writer.start()
        heard = []
        while sum(map(len, heard)) < len(x):
            wait_for(lambda: stage.player.snapshot_state().sources[0].queued_s >= 200 / RATE or not writer.is_alive())
            heard.append(stage.take(1, 200))
        writer.join(10.0)
        assert done == [9600]
        assert np.array_equal(np.concatenate(heard)[: len(x)], x)


def test_running_dry_in_mid_utterance_is_counted_and_idleness_is_not() -> None:
    with Stage() as stage:
        stage.take(4)
        assert stage.player.snapshot_state().stream.counters["underruns"] == 0
        stage.player.write(ramp(300))
        stage.take(4)
        state = stage.player.snapshot_state()
        assert state.stream.counters["starvations"] == 1
        assert state.sources[0].counters["starvations"] == 1


def test_snapshot_shows_durations_of_the_callback() -> None:
    with Stage() as stage:
        stage.take(50)
        callback = stage.player.snapshot_state().stream.callback
        assert callback.count == 50
        assert 0 < callback.p50_ns <= callback.p95_ns <= callback.p99_ns <= callback.max_ns


def test_failed_start_leaves_nothing_open() -> None:
    stage = Stage()
    stage.host.listed = (make_device(0, "microphone", channels=0),)
    with pytest.raises(DeviceError, match="no output device"):
        stage.player.start()
    stage.player.close()
    assert stage.host.streams == []


def test_close_fades_and_closes_the_stream() -> None:
    with Stage() as stage:
        stage.player.write(np.full(9600, 0.5, np.float32))
        stage.take(4)
        stop = threading.Event()
        sound: list[np.ndarray] = []

        def drive() -> None:
            while not stop.is_set():
                sound.append(stage.take(1, 64))

        device = threading.Thread(target=drive)
        device.start()
        stage.player.close()
        stop.set()
        device.join()
        assert stage.host.streams[0].calls == ["start", "abort", "close"]
        y = np.concatenate(sound)
        fall = y[np.flatnonzero(y)[-1] - RATE // 200 :]
        assert np.abs(np.diff(fall)).max() < 0.5 / 30, "a fade of 5 ms, and no step"
