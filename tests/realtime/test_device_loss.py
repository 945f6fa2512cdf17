"""What really happens to streams on PulseAudio: sinks that come, go, move or fall asleep, a daemon that hangs or dies.

What plays is two signals at once, recorded from the monitor. On the left every frame has a number, exact to the bit:
a frame that is missing, or comes twice, or in the wrong order, shows. On the right is a tone, whose steps show clicks.

What the device had taken when it went is lost with it, and where it cuts its last block short is not ours to say: a
recording may lack that much, once for each loss, and step down into silence there. Everything else is held to account.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.player import Player
from sottovoce.audio.recorder import Recorder
from tests.realtime.signals import Audio, find, noise
from tests.support.soundcard import SoundCard, wait_until

pytestmark = [pytest.mark.device, pytest.mark.usefixtures("way")]

RATE = 48000

#: A test machine is shared, and stands still for longer than the few ms that a device of its own would ask for.
LATENCY_S = 0.1

#: Frames in which a new stream rises, and an old one decays.
EDGE_FRAMES = 256

#: Closing takes two seconds at most when the sound system hangs; the rest is for a slow machine.
CLOSE_LIMIT_S = 6.0

#: From a device being there to sound. It is kept in the best of some rounds: a test machine may stand still in any one.
RECOVERY_LIMIT_S = 1.0
ROUNDS = 4

_TONE_HZ = 200
_TONE_LEVEL = 0.3
#: The largest step of the tone.
_TONE_STEP = _TONE_LEVEL * 2 * np.pi * _TONE_HZ / RATE


def numbered(frames: int) -> Audio:
    """Left: the number of each frame over 2**20, from 1 on. Right: a tone."""
    number = np.arange(1, frames + 1)
    tone = _TONE_LEVEL * np.sin(2 * np.pi * _TONE_HZ * number / RATE)
    return np.stack([number / 2**20, tone], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Heard:
    """What a recording of :func:`numbered` holds."""

    recording: Audio

    @property
    def numbers(self) -> np.ndarray:
        """Of the frames that are as they were written, in the order in which they were heard."""
        left, right = self.recording[:, 0].astype(np.float64), self.recording[:, 1]
        number = np.rint(left * 2**20)
        tone = (_TONE_LEVEL * np.sin(2 * np.pi * _TONE_HZ * number / RATE)).astype(np.float32)
        whole = (number >= 1) & (left * 2**20 == number) & (right == tone)
        # a frame on its way up or down may look like another one, but not beside its neighbour
        follows = whole[1:] & whole[:-1] & (np.diff(number) == 1)
        return number[np.append(follows, False) | np.insert(follows, 0, False)].astype(int)

    @property
    def lost_frames(self) -> list[int]:
        """Of each gap in the numbers, how long it is."""
        steps = np.diff(self.numbers)
        return [int(step) - 1 for step in steps[steps != 1]]

    @property
    def clicks(self) -> list[int]:
        """Frames that step by more than 1.2 times what the tone does, without stepping down into silence."""
        right = self.recording[:, 1]
        loud = np.flatnonzero(np.abs(np.diff(right)) > 1.2 * _TONE_STEP)
        return [int(frame) for frame in loud if right[frame + 1 : frame + 3].any()]


def test_what_was_heard_tells_a_loss_a_repetition_and_a_click() -> None:
    x = numbered(RATE)
    assert Heard(x).lost_frames == Heard(x).clicks == []
    assert len(Heard(x).numbers) == RATE
    gap = np.concatenate([x[:1000], np.zeros((500, 2), np.float32), x[1100:]])
    assert Heard(gap).lost_frames == [100]
    assert len(Heard(gap).clicks) == 1, "the tone comes back without a rise"
    assert Heard(np.concatenate([x[:1000], x[900:]])).lost_frames == [-100]
    assert Heard(np.concatenate([x[:1000], x[1060:]])).clicks == [999]
    assert len(Heard(x * np.float32(0.9)).numbers) < 10


def closes_in_time(thing: Player | Recorder) -> bool:
    started_s = time.monotonic()
    thing.close()
    return time.monotonic() - started_s < CLOSE_LIMIT_S


def played_s(player: Player) -> float:
    return player.snapshot_state().sources[0].played_s


def state_of(thing: Player | Recorder) -> StreamState:
    return thing.snapshot_state().stream.state


def play_numbered(player: Player, seconds: float) -> None:
    player.write(numbered(round(seconds * RATE)))
    wait_until(lambda: played_s(player) > 0.2, 10.0, "sound")


def seconds_until(condition: Callable[[], bool], what: str) -> float:
    """How long something takes that happens by itself."""
    started_s = time.monotonic()
    wait_until(condition, 15.0, what)
    return time.monotonic() - started_s


def loses(thing: Player | Recorder) -> Callable[[], bool]:
    """Whether a thing has lost its stream, or has replaced it, since now."""
    before = thing.snapshot_state().stream.generation
    return lambda: thing.snapshot_state().stream.generation != before


def sounds_again(player: Player) -> float:
    """Seconds until sound goes on, from now."""
    before_s = played_s(player)
    return seconds_until(lambda: state_of(player) is StreamState.RUNNING and played_s(player) > before_s, "sound")


def captures_again(recorder: Recorder) -> float:
    before_s = recorder.snapshot_state().captured_s
    return seconds_until(
        lambda: state_of(recorder) is StreamState.RUNNING and recorder.snapshot_state().captured_s > before_s + 0.01,
        "blocks",
    )


def another_round(rounds: list[float], least: int) -> bool:
    return len(rounds) < least or (min(rounds) >= RECOVERY_LIMIT_S and len(rounds) < ROUNDS)


def best_of(rounds: list[float], what: str) -> None:
    figures = ", ".join(f"{round(seconds * 1000)} ms" for seconds in rounds)
    logging.getLogger("sottovoce.tests").info("%s: %s", what, figures)  # shown by --log-cli-level=INFO
    assert min(rounds) < RECOVERY_LIMIT_S, rounds


def lost_at_most(player: Player) -> int:
    """Frames that a device may have taken when it goes: what it said that it holds, twice over for the system's own."""
    return round((2 * LATENCY_S + 0.1) * RATE) + 2 * EDGE_FRAMES


def test_suspended_sink_is_noticed_and_sound_goes_on_when_it_wakes(sound_card: SoundCard) -> None:
    recording = sound_card.record()
    rounds: list[float] = []
    with Player(RATE, 2, device="vs48", latency=LATENCY_S, buffer_s=9.0) as player:
        play_numbered(player, 8.0)
        while another_round(rounds, 3):
            sounded_s = played_s(player)
            wait_until(lambda: played_s(player) > sounded_s + 0.3, 10.0, "sound")  # noqa: B023
            lost = loses(player)
            sound_card.stall("vs48", True)
            wait_until(lost, 10.0, "the loss being noticed")
            sound_card.stall("vs48", False)
            rounds.append(sounds_again(player))
        assert player.drain(20.0)
        stream = player.snapshot_state().stream
        assert played_s(player) == 8.0
    assert stream.recreates >= len(rounds)
    assert stream.counters["held_blocks"] > 0, "it was on trial"
    best_of(rounds, "sound after a suspended sink woke")
    heard = Heard(recording.stop())
    assert heard.numbers[-1] == 8 * RATE
    assert len(heard.lost_frames) <= stream.recreates
    assert all(0 < lost <= lost_at_most(player) for lost in heard.lost_frames), heard.lost_frames
    assert heard.clicks == []


def test_sink_that_sleeps_for_long_costs_no_more_sound_than_one_that_nods(sound_card: SoundCard) -> None:
    recording = sound_card.record()
    with Player(RATE, 2, device="vs48", latency=LATENCY_S, buffer_s=4.0) as player:
        play_numbered(player, 3.0)
        sound_card.stall("vs48", True)
        wait_until(lambda: player.snapshot_state().stream.counters["held_blocks"] > 0, 10.0, "the trial")
        wait_until(lambda: state_of(player) is StreamState.LOST, 15.0, "a trial being given up")
        stopped_s = played_s(player)
        wait_until(lambda: state_of(player) is StreamState.RECREATING, 15.0, "the next trial")
        assert played_s(player) == stopped_s, "streams on trial take nothing"
        sound_card.stall("vs48", False)
        assert player.drain(20.0)
        assert played_s(player) == 3.0
    heard = Heard(recording.stop())
    assert len(heard.lost_frames) == 1
    assert 0 < heard.lost_frames[0] <= lost_at_most(player)
    assert heard.clicks == []


def test_unplugged_sink_plays_on_elsewhere(sound_card: SoundCard) -> None:
    recording = sound_card.record("vs48")
    rounds: list[float] = []
    with Player(RATE, 2, device="vs44", latency=LATENCY_S, buffer_s=5.0) as player:
        play_numbered(player, 3.0)
        sound_card.kill("vs44")
        rounds.append(sounds_again(player))
        assert player.drain(15.0)
        assert played_s(player) == 3.0
        assert state_of(player) is StreamState.RUNNING
    best_of(rounds, "sound after a sink was unplugged")
    tail = recording.stop()[:, 1]
    assert np.abs(tail).max() > 0.9 * _TONE_LEVEL, "heard on the sink that is left"


def test_sink_that_is_plugged_in_again_is_used_when_asked_for(sound_card: SoundCard) -> None:
    sound_card.kill("vs44")
    with Player(RATE, 2, latency=LATENCY_S, buffer_s=5.0) as player:
        play_numbered(player, 3.0)
        sound_card.add("vs44", 44100)
        recording = sound_card.record("vs44", RATE)
        sound_card.move("vs44")
        assert player.drain(15.0)
        assert played_s(player) == 3.0
    tail = recording.stop()[:, 1]
    assert np.abs(tail).max() > 0.9 * _TONE_LEVEL


def test_route_change_is_heard_on_the_new_sink_and_nothing_is_cut(sound_card: SoundCard) -> None:
    x = noise(3 * RATE)
    recording = sound_card.record("vs44", 44100)
    with Player(RATE, 1, device="vs48", latency=LATENCY_S, buffer_s=5.0) as player:
        player.write(x)
        wait_until(lambda: played_s(player) > 0.2, 10.0, "sound")
        sound_card.move("vs44")
        assert player.drain(10.0)
        assert played_s(player) == 3.0
    y = recording.stop()[:, 0]
    assert np.abs(y[-44100 * 5 // 4 : -44100 // 2]).max() > 0.1


def test_recreate_that_is_asked_for_is_not_heard(sound_card: SoundCard) -> None:
    recording = sound_card.record()
    rounds: list[float] = []
    with Player(RATE, 2, device="vs48", latency=LATENCY_S, buffer_s=8.0) as player:
        play_numbered(player, 5.0)
        for _ in range(3):
            lost = loses(player)
            player.output.recreate("a test")  # type: ignore[attr-defined]
            wait_until(lost, 10.0, "the recreate")
            rounds.append(sounds_again(player))
            sounded_s = played_s(player)
            wait_until(lambda: played_s(player) > sounded_s + 0.3, 10.0, "sound")  # noqa: B023
        assert player.drain(15.0)
        assert player.snapshot_state().stream.recreates == 3
        assert not player.snapshot_state().stream.recreating
    best_of(rounds, "sound after a recreate was asked for")
    heard = Heard(recording.stop())
    assert heard.numbers[-1] == 5 * RATE
    assert all(0 < lost <= 2 * EDGE_FRAMES for lost in heard.lost_frames), heard.lost_frames
    assert len(heard.lost_frames) == 3
    assert heard.clicks == []


def test_killed_daemon_is_waited_for_and_sound_goes_on_where_it_was(sound_card: SoundCard) -> None:
    rounds: list[float] = []
    with Player(RATE, 2, device="vs48", latency=LATENCY_S, buffer_s=9.0) as player:
        play_numbered(player, 6.0)
        numbers: list[np.ndarray] = []
        for _ in range(ROUNDS):
            sound_card.kill_daemon()
            wait_until(lambda: state_of(player) is StreamState.LOST, 10.0, "the loss being noticed")
            stopped_s = played_s(player)
            sound_card.start_daemon()
            rounds.append(sounds_again(player))
            recording = sound_card.record()
            sounded_s = played_s(player)
            wait_until(lambda: played_s(player) > sounded_s + 0.3, 10.0, "sound")  # noqa: B023
            heard = Heard(recording.stop())
            assert heard.lost_frames == [], "from where it goes on"
            assert heard.numbers[0] > stopped_s * RATE
            numbers.append(heard.numbers)
            if len(rounds) > 1 and min(rounds) < RECOVERY_LIMIT_S:
                break
        assert player.drain(20.0)
        assert played_s(player) == 6.0
    heard_s = [(part[0] / RATE, part[-1] / RATE) for part in numbers]
    assert all(earlier[1] < later[0] for earlier, later in itertools.pairwise(heard_s)), "nothing twice"
    best_of(rounds, "sound after a new daemon")


def test_killed_daemon_does_not_hang_the_close(sound_card: SoundCard) -> None:
    player = Player(RATE, 2, device="vs48", latency=LATENCY_S, buffer_s=8.0)
    player.start()
    play_numbered(player, 6.0)
    sound_card.kill_daemon()
    assert closes_in_time(player)
    assert state_of(player) is StreamState.CLOSED


def test_hanging_daemon_does_not_hang_the_close(sound_card: SoundCard) -> None:
    player = Player(RATE, 2, device="vs48", latency=LATENCY_S, buffer_s=8.0)
    player.start()
    play_numbered(player, 6.0)
    sound_card.freeze(True)
    wait_until(lambda: state_of(player) is not StreamState.RUNNING, 10.0, "the loss being noticed")
    assert closes_in_time(player)
    assert state_of(player) is StreamState.CLOSED
    sound_card.freeze(False)


def test_daemon_that_hangs_for_a_while_goes_on_where_it_was(sound_card: SoundCard) -> None:
    recording = sound_card.record()
    rounds: list[float] = []
    with Player(RATE, 2, device="vs48", latency=LATENCY_S, buffer_s=9.0) as player:
        play_numbered(player, 6.0)
        while another_round(rounds, 2):
            lost = loses(player)
            sound_card.freeze(True)
            wait_until(lost, 10.0, "the loss being noticed")
            sound_card.freeze(False)
            rounds.append(sounds_again(player))
            sounded_s = played_s(player)
            wait_until(lambda: played_s(player) > sounded_s + 0.3, 10.0, "sound")  # noqa: B023
        assert player.drain(30.0)
        assert played_s(player) == 6.0
        recreates = player.snapshot_state().stream.recreates
    best_of(rounds, "sound after a daemon that hung")
    heard = Heard(recording.stop())
    assert heard.numbers[-1] == 6 * RATE
    assert len(heard.lost_frames) <= recreates
    assert all(0 < lost <= lost_at_most(player) for lost in heard.lost_frames), heard.lost_frames


def test_one_of_two_streams_that_is_lost_leaves_the_other_alone(sound_card: SoundCard) -> None:
    recording = sound_card.record("vs48")
    with (
        Player(RATE, 2, device="vs48", latency=LATENCY_S, buffer_s=5.0) as healthy,
        Player(RATE, 2, device="vs44", latency=LATENCY_S, buffer_s=5.0) as lost,
    ):
        lost.write(np.zeros((3 * RATE, 2), np.float32))
        play_numbered(healthy, 3.0)
        sound_card.kill("vs44")
        sounds_again(lost)
        assert healthy.drain(15.0)
        assert lost.drain(15.0)
        assert healthy.snapshot_state().stream.recreates == 0
    heard = Heard(recording.stop())
    assert heard.lost_frames == heard.clicks == []
    assert len(heard.numbers) == 3 * RATE


def test_capture_goes_on_after_a_source_slept(sound_card: SoundCard) -> None:
    rounds: list[float] = []
    with Recorder(RATE, latency=LATENCY_S, prefer_stream_rate="content") as recorder:
        assert recorder.read(4800, 10.0).shape[0] == 4800
        while another_round(rounds, 2):
            lost = loses(recorder)
            sound_card.stall("vs48", True)
            wait_until(lost, 15.0, "the loss being noticed")
            sound_card.stall("vs48", False)
            rounds.append(captures_again(recorder))
        x = noise(RATE)
        recorder.read(round(recorder.backlog_s * RATE))
        with sound_card.playing(x, RATE):
            y = recorder.read(2 * RATE, 20.0)[:, 0]
        start = find(y, x)
        assert np.corrcoef(y[start : start + RATE // 2], x[: len(y[start : start + RATE // 2])])[0, 1] > 0.9
        assert closes_in_time(recorder)
    best_of(rounds, "capture after a suspended source woke")


def test_capture_goes_on_with_a_new_daemon(sound_card: SoundCard) -> None:
    rounds: list[float] = []
    with Recorder(RATE, latency=LATENCY_S) as recorder:
        assert recorder.read(4800, 10.0).shape[0] == 4800
        while another_round(rounds, 2):
            sound_card.kill_daemon()
            wait_until(lambda: state_of(recorder) is StreamState.LOST, 10.0, "the loss being noticed")
            sound_card.start_daemon()
            rounds.append(captures_again(recorder))
    best_of(rounds, "capture after a new daemon")


def test_capture_goes_on_after_the_daemon_hung(sound_card: SoundCard) -> None:
    rounds: list[float] = []
    with Recorder(RATE, latency=LATENCY_S) as recorder:
        assert recorder.read(4800, 10.0).shape[0] == 4800
        while another_round(rounds, 2):
            lost = loses(recorder)
            sound_card.freeze(True)
            wait_until(lost, 15.0, "the loss being noticed")
            sound_card.freeze(False)
            rounds.append(captures_again(recorder))
    best_of(rounds, "capture after a daemon that hung")


def test_recorder_closes_while_its_source_sleeps(sound_card: SoundCard) -> None:
    with Recorder(RATE, latency=LATENCY_S) as recorder:
        assert recorder.read(4800, 10.0).shape[0] == 4800
        lost = loses(recorder)
        sound_card.stall("vs48", True)
        wait_until(lost, 15.0, "the loss being noticed")
        assert closes_in_time(recorder)
