"""Devices that sleep, or come late: what was queued is heard whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sottovoce.audio.lifecycle import LifecyclePolicy, StreamState
from sottovoce.audio.output import DeviceOutput, SleepPolicy
from sottovoce.audio.player import Player
from sottovoce.audio.recorder import Recorder
from sottovoce.audio.watchdog import Watchdog
from sottovoce.core.errors import ConfigError, DeviceNotFoundError
from tests.audio.fakes import Audio, FakeHost, FakeStream, make_device, wait_for

BLOCK = 256
WAITS = LifecyclePolicy(wait_for_device=True, device_query_cooldown_s=0.01)

HEADSET = make_device(3, "Bluetooth headset", default=True)
CARD = make_device(3, "card", default=True)


def ramp(frames: int) -> Audio:
    return (0.5 + 0.1 * np.sin(np.arange(frames) / 7.0)).astype(np.float32)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks come when the test wants them, which no watchdog knows."""
    monkeypatch.setattr(Watchdog, "judge", lambda self, health, now_ns: "")


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def players(host: FakeHost) -> Iterator[list[Player]]:
    opened: list[Player] = []
    yield opened
    for player in opened:
        player.close()


def pull(stream: FakeStream, blocks: int) -> Audio:
    return np.concatenate([stream.call(BLOCK)[:, 0] for _ in range(blocks)])


def opened(
    host: FakeHost, players: list[Player], sleep: SleepPolicy | None = None, policy: LifecyclePolicy | None = None
) -> Player:
    output = DeviceOutput(blocksize=BLOCK, sleep=sleep, policy=policy, host=host)
    player = Player(48000, 1, output=output)
    players.append(player)
    player.start()
    return player


def start_of(heard: Audio, x: Audio) -> int:
    """At which frame ``x`` begins, whole."""
    start = int(np.flatnonzero(np.abs(heard) > 0.01)[0])
    np.testing.assert_array_equal(heard[start : start + len(x)], x)
    return start


@pytest.mark.parametrize(("device", "lead_in_s"), [(HEADSET, 0.3), (CARD, 0.0)])
def test_only_what_calls_itself_bluetooth_gets_a_lead_in(
    host: FakeHost, players: list[Player], device: object, lead_in_s: float
) -> None:
    host.listed = (device,)  # type: ignore[assignment]
    player, x = opened(host, players), ramp(2000)
    player.write(x)
    start = start_of(pull(host.streams[0], 80), x)
    assert lead_in_s * 48000 <= start < lead_in_s * 48000 + BLOCK


@pytest.mark.parametrize(("device", "warm"), [(HEADSET, True), (CARD, False)])
def test_only_what_calls_itself_bluetooth_is_kept_warm(
    host: FakeHost, players: list[Player], device: object, warm: bool
) -> None:
    host.listed = (device,)  # type: ignore[assignment]
    opened(host, players)
    assert bool(np.any(pull(host.streams[0], 4))) == warm


def test_what_is_set_counts_for_every_device(host: FakeHost, players: list[Player]) -> None:
    player, x = opened(host, players, SleepPolicy(lead_in_s=0.1, sleeps_after_s=0.5, keep_warm=False)), ramp(2000)
    source = player.open_source()
    for _ in range(2):
        source.write(x)
        source.end()
        assert 4800 <= start_of(pull(host.streams[0], 40), x) < 4800 + BLOCK
        pull(host.streams[0], 100)  # over half a second of silence


def test_bluetooth_can_be_left_alone(host: FakeHost, players: list[Player]) -> None:
    host.listed = (HEADSET,)
    player, x = opened(host, players, SleepPolicy(lead_in_s=0.0, keep_warm=False)), ramp(2000)
    player.write(x)
    assert start_of(pull(host.streams[0], 20), x) == 0


@pytest.mark.parametrize("wrong", [{"lead_in_s": -1.0}, {"lead_in_s": 61.0}, {"sleeps_after_s": -0.1}])
def test_times_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SleepPolicy(**wrong)  # type: ignore[arg-type]


def test_player_without_a_device_plays_what_was_queued_once_there_is_one(host: FakeHost, players: list[Player]) -> None:
    host.listed = (make_device(0, "microphone", channels=0),)
    player, x = opened(host, players, policy=WAITS), ramp(2000)
    assert player.snapshot_state().stream.state is StreamState.LOST
    assert player.write(x) == len(x)
    assert host.streams == []
    host.listed = (CARD,)
    wait_for(lambda: player.snapshot_state().stream.state is StreamState.RUNNING)
    assert start_of(pull(host.streams[0], 20), x) == 0


def test_recorder_without_a_device_hears_once_there_is_one(host: FakeHost) -> None:
    host.listed = (make_device(0, "loudspeaker", channels=0),)
    with Recorder(16000, policy=WAITS, host=host) as recorder:
        assert recorder.read(160, 0.01).shape == (0, 1)
        host.listed = (CARD,)
        wait_for(lambda: recorder.stream_report().state is StreamState.RUNNING)
        host.streams[0].call(4800, np.full((4800, host.streams[0].request.channels), 0.5, np.float32))
        heard = recorder.read(1000, 5.0)
    assert heard.shape[0] == 1000
    assert np.abs(heard[500:] - 0.5).max() < 0.01


def test_without_waiting_a_missing_device_is_an_error(host: FakeHost, players: list[Player]) -> None:
    host.listed = (make_device(0, "microphone", channels=0),)
    with pytest.raises(DeviceNotFoundError):
        opened(host, players)
