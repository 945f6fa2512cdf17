"""What really happens to streams on PulseAudio: sinks that go, move or fall asleep, and a daemon that hangs."""

from __future__ import annotations

import time

import numpy as np
import pytest

from sottovoce.audio.lifecycle import LifecyclePolicy, StreamState
from sottovoce.audio.player import Player
from sottovoce.audio.recorder import Recorder
from tests.realtime.signals import excerpt, noise
from tests.support.soundcard import SoundCard, wait_until

pytestmark = pytest.mark.device

#: A test machine is shared, and stands still for longer than the few ms that a device of its own would ask for.
LATENCY_S = 0.1

#: Closing takes two seconds at most when the sound system hangs; the rest is for a slow machine.
CLOSE_LIMIT_S = 6.0

QUICK = LifecyclePolicy(device_query_cooldown_s=0.1)


def closes_in_time(thing: Player | Recorder) -> bool:
    started_s = time.monotonic()
    thing.close()
    return time.monotonic() - started_s < CLOSE_LIMIT_S


def playing(player: Player, signal: np.ndarray) -> None:
    player.start()
    player.write(signal)
    wait_until(lambda: player.snapshot_state().sources[0].played_s > 0.2, 10.0, "sound")


def state_of(player: Player) -> StreamState:
    return player.snapshot_state().stream.state


def test_suspended_sink_is_noticed_and_sound_goes_on_when_it_wakes(sound_card: SoundCard) -> None:
    x = noise(6 * 48000)
    player = Player(48000, 1, device="vs48", latency=LATENCY_S, buffer_s=8.0, policy=QUICK)
    playing(player, x)
    sound_card.stall("vs48", True)
    wait_until(lambda: state_of(player) is StreamState.LOST, 10.0, "the loss being noticed")
    sound_card.stall("vs48", False)
    recording = sound_card.record()
    wait_until(lambda: state_of(player) is StreamState.RUNNING, 10.0, "the stream coming back")
    resumed_s = player.snapshot_state().sources[0].played_s
    wait_until(lambda: player.snapshot_state().sources[0].played_s > resumed_s + 1.0, 10.0, "sound")
    report = player.snapshot_state().stream
    assert not report.recreating
    assert report.recreates >= 1
    assert closes_in_time(player)
    # what plays is what was queued, from where it stopped
    tail = x[round((resumed_s + 0.2) * 48000) :][:24000]
    assert np.array_equal(excerpt(recording.stop()[:, 0], tail), tail)


def test_unplugged_sink_plays_on_elsewhere(sound_card: SoundCard) -> None:
    with Player(48000, 1, device="vs44", latency=LATENCY_S, buffer_s=5.0) as player:
        player.write(noise(2 * 48000))
        wait_until(lambda: player.snapshot_state().sources[0].played_s > 0.2, 10.0, "sound")
        sound_card.kill("vs44")
        assert player.drain(10.0)
        assert state_of(player) is StreamState.RUNNING


def test_route_change_is_heard_on_the_new_sink(sound_card: SoundCard) -> None:
    x = noise(2 * 48000)
    recording = sound_card.record("vs44", 44100)
    with Player(48000, 1, device="vs48", latency=LATENCY_S, buffer_s=5.0) as player:
        player.write(x)
        wait_until(lambda: player.snapshot_state().sources[0].played_s > 0.2, 10.0, "sound")
        sound_card.move("vs44")
        assert player.drain(10.0)
    y = recording.stop()[:, 0]
    assert np.abs(y[-44100 * 5 // 4 : -44100 // 2]).max() > 0.1


def test_hanging_daemon_does_not_hang_the_close(sound_card: SoundCard) -> None:
    player = Player(48000, 1, device="vs48", latency=LATENCY_S, buffer_s=8.0)
    playing(player, noise(6 * 48000))
    sound_card.freeze(True)
    wait_until(lambda: state_of(player) is not StreamState.RUNNING, 10.0, "the loss being noticed")
    assert closes_in_time(player)
    assert state_of(player) is StreamState.CLOSED


def test_daemon_that_hangs_for_a_while_goes_on_where_it_was(sound_card: SoundCard) -> None:
    with Player(48000, 1, device="vs48", latency=LATENCY_S, buffer_s=8.0) as player:
        player.write(noise(2 * 48000))
        wait_until(lambda: player.snapshot_state().sources[0].played_s > 0.2, 10.0, "sound")
        sound_card.freeze(True)
        wait_until(lambda: state_of(player) is not StreamState.RUNNING, 10.0, "the loss being noticed")
        sound_card.freeze(False)
        assert player.drain(30.0)
        assert player.snapshot_state().sources[0].played_s == 2.0


def test_recorder_survives_a_suspended_source_and_closes(sound_card: SoundCard) -> None:
    with Recorder(48000, latency=LATENCY_S, policy=QUICK) as recorder:
        assert recorder.read(4800, 10.0).shape[0] == 4800
        sound_card.stall("vs48", True)
        wait_until(
            lambda: (
                recorder.snapshot_state().stream.recreates > 0
                or recorder.snapshot_state().stream.state is StreamState.LOST
            ),
            15.0,
            "the loss being noticed",
        )
        assert closes_in_time(recorder)
