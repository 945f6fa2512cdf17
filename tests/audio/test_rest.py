"""An output that rests: when it may, what wakes it, and that nothing is lost by it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from sottovoce.audio.lifecycle import (
    CloseAsked,
    DeviceSeen,
    DropStream,
    LifecyclePolicy,
    Opened,
    OpenFailed,
    OpenStream,
    QueryDevice,
    RecreateAsked,
    RestAsked,
    RetuneAsked,
    StartAsked,
    StreamDied,
    StreamState,
    Ticked,
    WakeAsked,
)
from sottovoce.audio.output import DeviceOutput, SleepPolicy
from sottovoce.audio.player import Player
from sottovoce.audio.rest import RestWatch
from sottovoce.audio.watchdog import Watchdog
from sottovoce.core.errors import ConfigError, HostAudioError
from tests.audio.fakes import Audio, FakeHost, make_device, wait_for
from tests.audio.test_lifecycle import CARD, OTHER, Machine, reports

RATE = 48_000
BLOCK = 256

_NS = 1_000_000_000


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks come when the test wants them, which no watchdog knows."""
    monkeypatch.setattr(Watchdog, "judge", lambda self, health, now_ns: "")


class Stage:
    """A player whose device is called without a pause, as long as it has one."""

    def __init__(self, host: FakeHost, **sleep: float | bool) -> None:
        self.host = host
        policy = LifecyclePolicy(device_query_cooldown_s=0.01)
        output = DeviceOutput(
            blocksize=BLOCK,
            policy=policy,
            sleep=SleepPolicy(**{"rests_after_s": 0.05, **sleep}),  # type: ignore[arg-type]
            host=host,
        )
        self.player = Player(RATE, 1, output=output)
        self.heard: list[Audio] = []
        self._done = threading.Event()
        self._caller = threading.Thread(target=self._call, name="caller")

    def _call(self) -> None:
        while not self._done.wait(0.001):
            stream = self.host.streams[-1]
            if "start" in stream.calls and "close" not in stream.calls:
                self.heard.append(stream.call(BLOCK)[:, 0])

    def __enter__(self) -> Stage:
        self.player.start()
        self._caller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._caller.join()
        self.player.close()

    @property
    def state(self) -> StreamState:
        return self.player.snapshot_state().stream.state

    def rests(self) -> bool:
        return self.state is StreamState.RESTING

    def runs(self) -> bool:
        return self.state is StreamState.RUNNING


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def running() -> Machine:
    machine = Machine()
    machine.do(StartAsked())
    machine.do(Opened(1, CARD, 48000))
    return machine


@pytest.fixture
def stage(host: FakeHost) -> Iterator[Stage]:
    with Stage(host) as stage:
        yield stage


def tone(frames: int) -> Audio:
    return (0.5 + 0.1 * np.sin(np.arange(frames) / 7.0)).astype(np.float32)


def test_watch_wants_silence_for_the_whole_time() -> None:
    watch = RestWatch(1.0)
    blocks = idle = 0

    def due(at_s: float, *, sounds: bool = False, more: int = 10) -> bool:
        nonlocal blocks, idle
        blocks, idle = blocks + more, idle + (0 if sounds else more)
        return watch.due({"blocks": blocks, "idle_blocks": idle}, round(at_s * _NS))

    assert not due(0.0)
    assert not due(0.9)
    assert due(1.0)
    assert not due(1.1, sounds=True)
    assert not due(1.2)
    assert not due(2.1)
    assert not due(2.3, more=0), "no block has come: nothing is known"
    assert due(2.4)


def test_silence_gives_the_device_back(stage: Stage, host: FakeHost) -> None:
    wait_for(stage.rests)
    wait_for(lambda: host.streams[0].calls == ["start", "abort", "close"])
    report = stage.player.snapshot_state().stream
    assert (report.device, report.samplerate, report.recreates) == ("first", 0, 0)


def test_what_is_written_wakes_it_and_is_heard_whole(stage: Stage, host: FakeHost) -> None:
    x = tone(3000)
    for count in range(2, 5):
        wait_for(stage.rests)
        stage.heard.clear()
        stage.player.write(x)
        assert stage.player.drain(10.0)
        heard = np.concatenate(stage.heard)
        start = int(np.flatnonzero(heard)[0])
        np.testing.assert_array_equal(heard[start : start + 3000], x)
        assert len(host.streams) == count
    assert stage.player.snapshot_state().stream.recreates == 0


def test_somebody_who_knows_before_wakes_it(stage: Stage, host: FakeHost) -> None:
    stage.player.wake()
    wait_for(stage.rests)
    stage.player.wake()
    wait_for(stage.runs)
    stage.player.wake()
    assert len(host.streams) == 2
    wait_for(stage.rests)


def test_what_was_written_just_before_the_rest_wakes_it(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    with Stage(host) as stage:
        has_audio, asked = stage.player.has_audio, threading.Event()

        def written_after_the_look() -> bool:
            if not asked.is_set():
                asked.set()
                found = has_audio()
                stage.player.write(tone(600))
                return found
            return has_audio()

        monkeypatch.setattr(stage.player, "has_audio", written_after_the_look)
        wait_for(asked.is_set)
        wait_for(lambda: any(block.any() for block in stage.heard))


def test_voice_that_is_held_up_keeps_it_awake(stage: Stage) -> None:
    source = stage.player.open_source(prebuffer_s=0.0)
    source.write(tone(3000))
    source.end()
    assert source.drain(10.0)
    source.pause()
    wait_for(stage.rests)
    source.write(tone(3000))
    assert stage.rests(), "a paused voice does not need it"
    source.resume()
    wait_for(stage.runs)
    assert source.drain(10.0)


def test_marks_and_fences_are_answered_while_it_rests(stage: Stage) -> None:
    source = stage.player.open_source()
    wait_for(stage.rests)
    source.set_gain(0.5)
    assert source.fence().wait(10.0)
    assert source.mark().wait(10.0)


def test_closing_a_source_or_the_player_does_not_wake_it(stage: Stage, host: FakeHost) -> None:
    source = stage.player.open_source()
    wait_for(stage.rests)
    source.close()
    stage.player.close()
    assert stage.state is StreamState.CLOSED
    assert len(host.streams) == 1


@pytest.mark.parametrize(
    ("name", "sleep"),
    [("Bluetooth headset", {}), ("card", {"keep_warm": True}), ("card", {"lead_in_s": 0.1})],
)
def test_device_that_would_swallow_a_syllable_stays_open(
    host: FakeHost, name: str, sleep: dict[str, float | bool]
) -> None:
    host.listed = (make_device(3, name, default=True),)
    with Stage(host, **sleep) as stage:
        wait_for(lambda: len(stage.heard) > 300)
        assert stage.runs()
        stage.player.wake()
    assert len(host.streams) == 1


def test_device_that_has_gone_meanwhile_is_looked_for_and_nothing_is_lost(stage: Stage, host: FakeHost) -> None:
    wait_for(stage.rests)
    host.open_error = HostAudioError("gone", pa_code=-9996)
    stage.player.write(tone(3000))
    wait_for(lambda: stage.state is StreamState.LOST)
    stage.heard.clear()
    host.open_error = None
    assert stage.player.drain(10.0)
    assert np.count_nonzero(np.concatenate(stage.heard)) == 3000


def test_rest_after_no_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="rests_after_s is 0"):
        SleepPolicy(rests_after_s=0.0)


def test_rest_gives_the_device_back_and_waking_opens_it_again(running: Machine) -> None:
    assert running.do(RestAsked()) == (DropStream(1, gently=True),)
    assert (running.state, running.lifecycle.current_generation) == (StreamState.RESTING, 0)
    for nothing in (Ticked(), RestAsked(), RecreateAsked("route"), RetuneAsked("latency"), StreamDied(1, "gone")):
        assert running.after(100.0, nothing) == ()
    assert running.do(DeviceSeen(OTHER)) == ()
    assert running.do(WakeAsked()) == (OpenStream(2, "wanted again", rested=True),)
    assert running.do(WakeAsked()) == (), "it is on its way"
    (report,) = reports(running.after(0.03, Opened(2, CARD, 48000)))
    assert (report.level, report.fields) == (logging.DEBUG, {"elapsed_ms": 30})
    assert (running.state, running.lifecycle.current_generation) == (StreamState.RUNNING, 2)
    assert running.lifecycle.recreates == 0, "it was not lost"


def test_waking_is_not_limited_and_a_loss_after_it_is_an_ordinary_one() -> None:
    machine = Machine(max_recreate_per_minute=1)
    machine.do(StartAsked())
    machine.do(Opened(1, CARD, 48000))
    for generation in range(2, 20):
        machine.do(RestAsked())
        assert machine.do(WakeAsked()) == (OpenStream(generation, "wanted again", rested=True),)
        machine.do(Opened(generation, CARD, 48000))
    dropped, opened = machine.do(StreamDied(19, "gone"))
    assert (dropped, opened) == (DropStream(19), OpenStream(20, "gone"))
    machine.do(Opened(20, CARD, 48000))
    assert machine.lifecycle.recreates == 1


def test_device_that_is_gone_after_a_rest_is_lost_and_looked_for(running: Machine) -> None:
    running.do(RestAsked())
    running.after(600.0, WakeAsked())
    (report,) = reports(running.after(0.2, OpenFailed(2, "it is not there any more")))
    assert report.fields == {"reason": "it is not there any more", "lost_s": 0.2}
    assert running.state is StreamState.LOST
    assert running.lifecycle.reason == "it could not be opened after a rest"
    assert running.after(0.6, Ticked()) == (QueryDevice(),)
    assert running.do(DeviceSeen(OTHER)) == (OpenStream(3, "it could not be opened after a rest"),)


def test_only_what_runs_rests(running: Machine) -> None:
    running.do(StreamDied(1, "gone"))
    assert running.do(RestAsked()) == ()
    running.do(OpenFailed(2, "refused"))
    assert running.do(RestAsked()) == ()
    assert running.do(WakeAsked()) == ()
    assert running.state is StreamState.LOST


def test_close_ends_a_rest(running: Machine) -> None:
    running.do(RestAsked())
    assert running.do(CloseAsked()) == ()
    assert running.do(WakeAsked()) == ()
    assert running.state is StreamState.CLOSED
