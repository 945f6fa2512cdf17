"""A device that comes while other streams are open: seen by another process, and gone back to together."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from sottovoce.audio.choice import ArrivalWatch
from sottovoce.audio.host import Device, HostStream, Kind, StreamRequest
from sottovoce.audio.lifecycle import LifecyclePolicy, StreamState
from sottovoce.audio.negotiate import StreamConfig
from sottovoce.audio.stream import StreamKeeper
from tests.audio.fakes import FakeCallback, FakeHost, FakeStream, make_device, wait_for

S = 1_000_000_000

SPEAKERS = make_device(0, "speakers", default=True)
HEADSET = make_device(1, "headset")


def test_missed_device_is_looked_for_soon_and_then_less_and_less_often() -> None:
    watch = ArrivalWatch()
    looks = [tenth / 10 for tenth in range(6000) if watch.due(True, tenth * S // 10)]
    assert looks[0] == 2.0
    pauses = [later - earlier for earlier, later in itertools.pairwise(looks)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(30.0, abs=0.2)


def test_device_that_is_there_is_not_looked_for() -> None:
    watch = ArrivalWatch()
    assert not any(watch.due(False, second * S) for second in range(100))
    assert not watch.due(True, 100 * S)
    assert not watch.due(False, 101 * S)
    assert not watch.due(True, 110 * S), "missed anew, so it is given time again"
    assert watch.due(True, 112 * S)


class CountedStream(FakeStream):
    """A stream that its host knows to be open."""

    host: OneListHost

    def close(self) -> None:
        super().close()
        self.host.open_now -= 1


class OneListHost(FakeHost):
    """As PortAudio: with a stream open, the list stays as it was."""

    def __init__(self, *devices: Device) -> None:
        super().__init__(*devices)
        self.real = self.listed
        self.open_now = 0
        self.renewals = 0

    def refresh(self, max_age_s: float = 0.0) -> bool:
        if max_age_s and self.listed == self.real:
            return True
        if self.open_now:
            return False
        self.listed = self.real
        self.renewals += 1
        return True

    def supports(self, kind: Kind, device_id: int, samplerate: int, channels: int) -> bool:
        return True

    def open(self, request: StreamRequest) -> HostStream:
        super().open(request)
        self.open_now += 1
        self.streams[-1] = CountedStream(self, request)
        return self.streams[-1]


class Room:
    """A host, the streams of one process on it, and the other process that looks."""

    def __init__(self) -> None:
        self.host = OneListHost(SPEAKERS, HEADSET)
        self.keepers: list[StreamKeeper] = []
        self.peak = 0.0
        self.looks = 0
        self.levels = 0

    def look(self, given_up: threading.Event) -> tuple[Device, ...]:
        self.looks += 1
        return self.host.real

    def open(self, kind: Kind, device: str | None) -> StreamKeeper:
        policy = LifecyclePolicy(wait_for_device=True, device_query_cooldown_s=0.02, max_recreate_per_minute=3)
        keeper = StreamKeeper(StreamConfig(kind, 48000, 2, device=device, policy=policy), self.make, self.host)
        self.keepers.append(keeper)
        keeper.start()
        return keeper

    def make(self, generation: int, samplerate: int, channels: int, device: Device) -> FakeCallback:
        return LoudCallback(self, generation, samplerate, channels)


class LoudCallback(FakeCallback):
    """As loud as the room."""

    def __init__(self, room: Room, generation: int, samplerate: int, channels: int) -> None:
        super().__init__(generation, samplerate, channels)
        self._room = room

    @property
    def peak(self) -> float:  # type: ignore[override]
        self._room.levels += 1
        return self._room.peak


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    room = Room()
    monkeypatch.setattr("sottovoce.audio.stream.devices_afresh", room.look)
    monkeypatch.setattr("sottovoce.audio.choice._FIRST_LOOK_S", 0.05)
    monkeypatch.setattr("sottovoce.audio.choice._LAST_LOOK_S", 0.05)
    yield room
    for keeper in room.keepers:
        assert keeper.close()


def test_earpiece_that_comes_while_the_microphone_is_open_is_played_on(room: Room) -> None:
    room.host.real = room.host.listed = (SPEAKERS,)
    microphone = room.open("input", "speakers")
    earpiece = room.open("output", "headset")
    assert earpiece.state is StreamState.LOST
    wait_for(lambda: room.looks > 1)
    assert microphone.generation == 1, "nothing is disturbed as long as there is nothing new"
    room.host.real = (SPEAKERS, HEADSET)
    wait_for(lambda: earpiece.report().device == "headset" and microphone.state is StreamState.RUNNING)
    assert microphone.report().device == "speakers"


def test_earpiece_that_comes_back_is_gone_back_to_while_nothing_sounds(room: Room) -> None:
    microphone, earpiece = room.open("input", "speakers"), room.open("output", "headset")
    room.host.listed = room.host.real = (SPEAKERS,)
    earpiece.recreate("unplugged")
    wait_for(lambda: earpiece.report().device == "speakers")
    room.host.real = (SPEAKERS, HEADSET)
    wait_for(lambda: earpiece.report().device == "headset")
    wait_for(lambda: microphone.state is StreamState.RUNNING)
    assert room.host.renewals >= 1


def test_nobody_is_interrupted_for_a_device_that_comes_back(room: Room) -> None:
    room.peak = 0.5
    earpiece = room.open("output", "headset")
    room.host.listed = room.host.real = (SPEAKERS,)
    earpiece.recreate("unplugged")
    wait_for(lambda: earpiece.report().device == "speakers")
    room.host.real = (SPEAKERS, HEADSET)
    settled, asked = earpiece.generation, room.levels
    wait_for(lambda: room.levels > asked + 3)
    assert earpiece.generation == settled
    room.peak = 0.0
    wait_for(lambda: earpiece.report().device == "headset")
