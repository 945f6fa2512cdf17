"""The shell around the state machine, on a host that the test decides."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterator
from typing import Literal

import pytest

from sottovoce.audio.host import Device
from sottovoce.audio.lifecycle import LifecyclePolicy, StreamState
from sottovoce.audio.negotiate import Latency, StreamConfig, negotiate
from sottovoce.audio.stream import StreamKeeper
from sottovoce.audio.tuner import LatencyTuner, TunerPolicy
from sottovoce.audio.tuning import LatencyReport
from sottovoce.core.errors import DeviceNotFoundError, HostAudioError, StreamError
from tests.audio.fakes import FakeCallback, FakeHost, make_device, wait_for


class Bench:
    """A keeper on a fake host, and every callback that it has made."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.callbacks: list[FakeCallback] = []
        self.keepers: list[StreamKeeper] = []

    def keeper(
        self,
        *,
        device: int | str | None = None,
        latency: Latency = "low",
        prefer_stream_rate: Literal["content", "device"] = "content",
        **policy: float,
    ) -> StreamKeeper:
        config = StreamConfig(
            "output",
            48000,
            2,
            device=device,
            latency=latency,
            prefer_stream_rate=prefer_stream_rate,
            policy=LifecyclePolicy(**policy),  # type: ignore[arg-type]
        )
        keeper = StreamKeeper(config, self.make, self.host)
        self.keepers.append(keeper)
        return keeper

    def make(self, generation: int, samplerate: int, channels: int, device: Device) -> FakeCallback:
        self.callbacks.append(FakeCallback(generation, samplerate, channels))
        return self.callbacks[-1]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.host.aborts.set()
    bench.host.opens.set()
    for keeper in bench.keepers:
        assert keeper.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("sottovoce-output")]


def runs(keeper: StreamKeeper, generation: int) -> bool:
    return keeper.state is StreamState.RUNNING and keeper.generation == generation


def test_start_opens_the_device_asked_for(bench: Bench) -> None:
    keeper = bench.keeper(device="second")
    keeper.start()
    report = keeper.report()
    assert (report.state, report.generation, report.device, report.device_id) == (StreamState.RUNNING, 1, "second", 1)
    assert (report.samplerate, report.channels, report.latency_s) == (48000, 2, 0.015)
    assert report.counters == {"blocks": 10}
    assert bench.host.streams[0].calls == ["start"]
    assert bench.host.streams[0].request.latency_s == 0.02, "the device's own figure for 'low'"


def test_start_without_a_device_says_so_and_leaves_nothing(bench: Bench) -> None:
    keeper = bench.keeper(device="nowhere")
    with pytest.raises(DeviceNotFoundError, match="nowhere"):
        keeper.start()
    assert keeper.state is StreamState.CLOSED
    assert bench.host.streams == []


def test_start_that_the_host_refuses_says_why_and_closes_the_stream(bench: Bench) -> None:
    bench.host.start_error = HostAudioError("cannot start", pa_code=-9999, host_text="daemon is away")
    keeper = bench.keeper()
    with pytest.raises(HostAudioError, match="cannot start"):
        keeper.start()
    assert bench.host.streams[0].calls == ["start", "abort", "close"]


def test_start_twice_is_an_error(bench: Bench) -> None:
    keeper = bench.keeper()
    keeper.start()
    with pytest.raises(StreamError, match="once"):
        keeper.start()


def test_refused_rate_falls_back_to_the_devices_own(bench: Bench) -> None:
    bench.host.listed = (make_device(0, "first", samplerate=44100, default=True),)
    bench.host.refused_rates = {48000}
    keeper = bench.keeper()
    keeper.start()
    assert (bench.callbacks[-1].samplerate, bench.callbacks[-1].channels) == (44100, 2)
    assert keeper.report().samplerate == 44100


def test_negotiate_asks_the_device_before_a_stream_is_opened(bench: Bench) -> None:
    bench.host.listed = (make_device(0, "first", samplerate=44100, channels=1, default=True),)
    bench.host.refused_rates = {48000}
    assert negotiate(bench.host, StreamConfig("output", 48000, 2)) == (44100, 1)


@pytest.mark.parametrize("death", ["finished", "stalled"])
def test_dead_stream_is_replaced_and_the_old_callback_retired(bench: Bench, death: str) -> None:
    keeper = bench.keeper()
    keeper.start()
    if death == "finished":
        bench.callbacks[0].finished = True
    else:
        bench.callbacks[0].stall()
    wait_for(lambda: len(bench.callbacks) == 2)
    assert bench.callbacks[1].was_held == (death == "stalled")
    wait_for(lambda: runs(keeper, 2))
    wait_for(lambda: not bench.callbacks[1].held)
    assert bench.callbacks[0].retired
    assert not bench.callbacks[1].retired
    assert keeper.report().recreates == 1
    wait_for(lambda: bench.host.streams[0].calls == ["start", "abort", "close"])
    wait_for(lambda: keeper.report().counters == {"blocks": 20})


def test_vanished_device_is_replaced_by_the_default_one(bench: Bench) -> None:
    keeper = bench.keeper(device="second")
    keeper.start()
    bench.host.listed = (make_device(0, "first", default=True),)
    bench.callbacks[0].finished = True
    wait_for(lambda: runs(keeper, 2))
    assert keeper.report().device == "first"


def test_no_device_stands_in_where_only_the_one_asked_for_will_do(bench: Bench) -> None:
    keeper = bench.keeper(device="second", stand_in=False, device_query_cooldown_s=0.0)
    keeper.start()
    first, second = bench.host.listed
    bench.host.listed = (first,)
    bench.callbacks[0].finished = True
    wait_for(lambda: keeper.state is StreamState.LOST)
    assert len(bench.host.streams) == 1
    bench.host.listed = (first, second)
    wait_for(lambda: keeper.state is StreamState.RUNNING)
    assert keeper.report().device == "second"
    assert {stream.request.device_id for stream in bench.host.streams} == {second.id}


def test_device_asked_for_is_found_again_under_another_id(bench: Bench) -> None:
    keeper = bench.keeper(device=1)
    keeper.start()
    bench.host.listed = (make_device(0, "new", default=True), make_device(1, "first"), make_device(2, "second"))
    bench.callbacks[0].finished = True
    wait_for(lambda: runs(keeper, 2))
    assert keeper.report().device == "second"


def test_device_that_is_listed_but_gone_is_passed_over_for_the_default_one(bench: Bench) -> None:
    keeper = bench.keeper(device="second")
    keeper.start()
    bench.host.refreshes = False  # another stream is open: the list stays as it was
    bench.host.gone = {1}
    bench.callbacks[0].finished = True
    wait_for(lambda: runs(keeper, 2))
    assert keeper.report().device == "first"


def test_lost_stream_leaves_the_stream_of_another_alone(bench: Bench) -> None:
    lost, healthy = bench.keeper(device="second"), bench.keeper(device="first")
    lost.start()
    healthy.start()
    bench.host.gone = {1}
    bench.callbacks[0].finished = True
    wait_for(lambda: runs(lost, 2))
    assert healthy.report().recreates == 0
    assert bench.host.streams[1].calls == ["start"]


def test_lost_stream_says_why_no_new_device_is_seen(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    keeper = bench.keeper(device_query_cooldown_s=0.05)
    keeper.start()
    bench.host.refreshes = False
    bench.host.listed = (make_device(0, "microphone only", channels=0),)
    with caplog.at_level(logging.WARNING, "sottovoce.audio"):
        bench.callbacks[0].finished = True
        wait_for(lambda: keeper.state is StreamState.LOST)
        wait_for(lambda: any("once the other streams are closed" in record.message for record in caplog.records))


def test_counters_are_told_by_the_supervisor(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    keeper = bench.keeper()
    with caplog.at_level(logging.WARNING, "sottovoce.audio"):
        keeper.start()
        bench.callbacks[0].counted["starvations"] = 3
        wait_for(lambda: any("ran dry" in record.message for record in caplog.records))
    (record,) = [record for record in caplog.records if "ran dry" in record.message]
    assert record.fields == {"kind": "output", "new": 3, "total": 3}  # type: ignore[attr-defined]


@pytest.mark.parametrize("prefer", ["content", "device"])
def test_falling_back_to_the_devices_rate_is_told_once(
    bench: Bench, caplog: pytest.LogCaptureFixture, prefer: Literal["content", "device"]
) -> None:
    keeper = bench.keeper(prefer_stream_rate=prefer)
    keeper.start()
    bench.host.listed = (make_device(0, "headset", samplerate=16000, default=True),)
    bench.host.refused_rates = {48000}
    with caplog.at_level(logging.WARNING, "sottovoce.audio"):
        for generation in (2, 3):
            keeper.recreate("test")
            wait_for(lambda generation=generation: runs(keeper, generation))  # type: ignore[misc]
    told = [record for record in caplog.records if "refuses the content's samplerate" in record.message]
    assert len(told) == (prefer == "content")


def test_lost_stream_comes_back_with_the_device(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    keeper = bench.keeper(device_query_cooldown_s=0.05)
    keeper.start()
    bench.host.listed = (make_device(0, "microphone only", channels=0),)
    with caplog.at_level(logging.INFO, "sottovoce.audio"):
        bench.callbacks[0].finished = True
        wait_for(lambda: keeper.state is StreamState.LOST)
        bench.host.listed = (make_device(4, "plugged in", default=True),)
        wait_for(lambda: keeper.generation > 1 and len(caplog.records) > 1)
    assert keeper.report().device == "plugged in"
    assert [record.message.split(" reason=")[0] for record in caplog.records] == [
        "no sound: the device is lost kind=output",
        "stream opened again kind=output",
    ]


def test_hanging_abort_does_not_hold_up_the_next_stream(bench: Bench) -> None:
    keeper = bench.keeper()
    keeper.start()
    bench.host.aborts.clear()
    bench.callbacks[0].stall()
    wait_for(lambda: runs(keeper, 2))
    assert bench.callbacks[0].retired
    assert "close" not in bench.host.streams[0].calls


def test_hanging_open_is_given_up_and_tried_again(bench: Bench) -> None:
    keeper = bench.keeper(hung_recreate_s=0.1, device_query_cooldown_s=0.05)
    keeper.start()
    bench.host.opens.clear()
    bench.callbacks[0].finished = True
    wait_for(lambda: keeper.state is StreamState.LOST)
    bench.host.opens.set()
    wait_for(lambda: keeper.state is StreamState.RUNNING)
    wait_for(lambda: sum("close" not in stream.calls for stream in bench.host.streams) == 1)


def test_close_of_a_hanging_host_takes_bounded_time_and_lets_the_process_end(bench: Bench) -> None:
    keeper = bench.keeper()
    keeper.start()
    bench.host.aborts.clear()
    assert keeper.close(timeout_s=0.2) is False
    assert bench.host.abandoned
    assert keeper.state is StreamState.CLOSED


def test_close_while_a_stream_is_being_opened_closes_it(bench: Bench) -> None:
    keeper = bench.keeper()
    keeper.start()
    bench.host.opens.clear()
    bench.callbacks[0].finished = True
    wait_for(lambda: bench.host.open_calls == 2)
    assert keeper.close(timeout_s=0.1) is False
    bench.host.opens.set()
    wait_for(lambda: len(bench.host.streams) == 2 and "close" in bench.host.streams[1].calls)


def test_storm_of_recreates_ends_running_with_one_stream(bench: Bench) -> None:
    keeper = bench.keeper(max_recreate_per_minute=100_000)
    keeper.start()
    threads = [
        threading.Thread(target=lambda: [keeper.recreate("storm") for _ in range(50)], name=f"storm-{number}")
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: keeper.state is StreamState.RUNNING)
    wait_for(lambda: sum("close" not in stream.calls for stream in bench.host.streams) == 1)
    report = keeper.report()
    assert not report.recreating
    assert report.recreates >= 1
    assert sum(not callback.retired for callback in bench.callbacks) == 1


def starving(bench: Bench, times: int = 3) -> None:
    """Looks that find the newest stream settled, and then short of blocks."""
    callback = bench.callbacks[-1]
    callback.deepest_ns = 30_000_000
    callback.counted = {"blocks": 100, "late_blocks": times}


@pytest.fixture
def quick_tuner(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tuner whose times are those of a test."""
    policy = TunerPolicy(settle_s=0.0, burst_s=60.0, short_idle_s=0.0, idle_s=0.0, calm_s=0.2, bar_s=0.2)
    monkeypatch.setattr("sottovoce.audio.tuning.LatencyTuner", lambda: LatencyTuner(policy))


@pytest.mark.usefixtures("quick_tuner")
def test_starving_device_is_opened_with_more_latency_and_that_is_no_loss(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = bench.keeper(latency="auto", max_recreate_per_minute=1)
    with caplog.at_level(logging.INFO, "sottovoce.audio"):
        keeper.start()
        assert bench.host.streams[0].request.latency_s == 0.02, "the device's own figure for 'low'"
        for generation in (2, 3, 4):  # more often than streams may be recreated in a minute
            starving(bench)
            wait_for(functools.partial(runs, keeper, generation))
        wait_for(lambda: sum(record.message.startswith("stream opened anew") for record in caplog.records) == 3)
    asked = [stream.request.latency_s for stream in bench.host.streams]
    assert asked == sorted(set(asked))
    assert asked[1] >= 0.0375 - 256 / 48000, "what was measured would have fit"
    latency = keeper.report().latency
    assert (latency.tuned, latency.asked_s, latency.grown) == (True, asked[-1], 3)
    assert keeper.report().recreates == 0
    assert "latency changed kind=output old_ms=20.0 new_ms=40.0 at_ceiling=False" in caplog.records[0].message
    assert not [record for record in caplog.records if "lost" in record.message or "too often" in record.message]


@pytest.mark.usefixtures("quick_tuner")
def test_latency_comes_back_once_nothing_plays(bench: Bench) -> None:
    keeper = bench.keeper(latency="auto")
    keeper.start()
    starving(bench)
    wait_for(lambda: runs(keeper, 2))
    grown_s = bench.host.streams[1].request.latency_s
    callback = bench.callbacks[1]

    def idle() -> bool:
        blocks = callback.counted["blocks"] + 1
        callback.counted = {"blocks": blocks, "idle_blocks": blocks}
        return runs(keeper, 3)

    wait_for(idle)
    assert bench.host.streams[2].request.latency_s < grown_s
    assert not keeper.report().latency.at_ceiling


@pytest.mark.usefixtures("quick_tuner")
def test_latency_at_its_ceiling_is_said(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    keeper = bench.keeper(latency="auto")
    keeper.start()
    generation = 1
    with caplog.at_level(logging.WARNING, "sottovoce.audio"):
        while not keeper.report().latency.at_ceiling:
            generation += 1
            starving(bench)
            wait_for(functools.partial(runs, keeper, generation))
    assert bench.host.streams[-1].request.latency_s == 0.3
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_latency_that_was_chosen_stays(bench: Bench) -> None:
    keeper = bench.keeper(latency="low")
    keeper.start()
    starving(bench)
    keeper.recreate("the test")
    wait_for(lambda: runs(keeper, 2))
    assert {stream.request.latency_s for stream in bench.host.streams} == {0.02}
    assert keeper.report().latency == LatencyReport(asked_s=0.02)


def test_callback_is_told_what_the_device_holds(bench: Bench) -> None:
    bench.keeper().start()
    assert bench.callbacks[0].held_s == pytest.approx(0.015 + 256 / 48000), "the latency reported, and a block"


def test_device_that_is_not_there_yet_is_waited_for(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    keeper = bench.keeper(device="headset", wait_for_device=True, device_query_cooldown_s=0.01)
    with caplog.at_level(logging.INFO, "sottovoce.audio"):
        keeper.start()
        assert keeper.state is StreamState.LOST
        assert keeper.report().device == ""
        assert negotiate(bench.host, keeper.config) == (48000, 2)
        bench.host.listed = (*bench.host.listed, make_device(7, "my headset"))
        wait_for(lambda: keeper.state is StreamState.RUNNING and len(caplog.records) > 1)
    assert keeper.report().device == "my headset", "not the default one, which others may hear"
    assert keeper.report().recreates == 0
    assert [record.message.split(" kind=")[0] for record in caplog.records] == [
        "waiting for a device",
        "the device is there",
    ]


def test_device_that_came_late_is_the_one_to_come_back_to(bench: Bench) -> None:
    keeper = bench.keeper(device="headset", wait_for_device=True, device_query_cooldown_s=0.01)
    keeper.start()
    bench.host.listed = (make_device(0, "first", default=True), make_device(7, "my headset"))
    wait_for(lambda: keeper.state is StreamState.RUNNING)
    bench.host.listed = (make_device(0, "my headset"), make_device(1, "first", default=True))
    keeper.recreate("the test")
    wait_for(lambda: keeper.report().device_id == 0)


def test_device_that_refuses_at_first_is_waited_for(bench: Bench) -> None:
    bench.host.start_error = HostAudioError("cannot start", pa_code=-9985)
    keeper = bench.keeper(wait_for_device=True, device_query_cooldown_s=0.01)
    keeper.start()
    assert keeper.state is StreamState.LOST
    bench.host.start_error = None
    wait_for(lambda: keeper.state is StreamState.RUNNING)


def test_name_that_fits_several_devices_is_an_error_and_not_waited_for(bench: Bench) -> None:
    bench.host.listed = (make_device(0, "headset left"), make_device(1, "headset right"))
    keeper = bench.keeper(device="headset", wait_for_device=True)
    with pytest.raises(DeviceNotFoundError, match="2 output devices fit"):
        negotiate(bench.host, keeper.config)


@pytest.mark.usefixtures("quick_tuner")
def test_capture_comes_back_once_it_is_quiet(bench: Bench) -> None:
    config = StreamConfig("input", 48000, 1, latency="auto")
    keeper = StreamKeeper(config, bench.make, bench.host)
    bench.keepers.append(keeper)
    keeper.start()
    bench.callbacks[-1].deepest_ns = 30_000_000
    bench.callbacks[-1].counted = {"blocks": 100, "late_blocks": 3}
    wait_for(lambda: runs(keeper, 2))
    grown_s = bench.host.streams[1].request.latency_s
    bench.callbacks[1].peak = 0.001
    wait_for(lambda: runs(keeper, 3))
    assert bench.host.streams[2].request.latency_s < grown_s


def test_stream_moves_to_the_device_asked_for(bench: Bench) -> None:
    keeper = bench.keeper(device="first")
    keeper.start()
    keeper.move_to(bench.host.listed[1])
    wait_for(lambda: runs(keeper, 2))
    report = keeper.report()
    assert (report.device, report.recreates) == ("second", 0), "that is no loss"
    assert bench.callbacks[0].retired
    bench.host.listed = (make_device(0, "first", default=True), make_device(7, "second"))
    bench.callbacks[1].stall()
    wait_for(lambda: keeper.state is StreamState.RUNNING and keeper.generation > 2)
    assert keeper.report().device == "second", "and comes back to it"


def test_stream_moves_to_a_device_that_has_come_since(bench: Bench) -> None:
    keeper, other = bench.keeper(), bench.keeper()
    keeper.start()
    other.start()
    new = make_device(5, "new")
    bench.host.listed = (*bench.host.listed[:1],)
    listed, bench.host.devices = bench.host.listed, lambda: bench.host.listed  # type: ignore[method-assign]

    def refresh(max_age_s: float = 0.0) -> bool:
        bench.host.listed = (*listed, new)
        return True

    bench.host.refresh = refresh  # type: ignore[method-assign]
    keeper.move_to(new)
    wait_for(lambda: keeper.state is StreamState.RUNNING and keeper.report().device == "new")
    wait_for(lambda: other.state is StreamState.RUNNING and other.generation == 2)
    assert other.report().device == "first", "the other one goes on where it was"


def test_stream_that_is_being_opened_moves_afterwards(bench: Bench) -> None:
    keeper = bench.keeper()
    keeper.start()
    bench.host.opens.clear()
    keeper.recreate("test")
    wait_for(lambda: bench.host.open_calls == 2)
    keeper.move_to(bench.host.listed[1])
    bench.host.opens.set()
    wait_for(lambda: keeper.state is StreamState.RUNNING and keeper.report().device == "second")


def test_lost_stream_moves_to_the_device_asked_for(bench: Bench) -> None:
    keeper = bench.keeper(device="first", stand_in=False, device_query_cooldown_s=0.01)
    keeper.start()
    bench.host.listed = (bench.host.listed[1],)
    bench.callbacks[0].finished = True
    wait_for(lambda: keeper.state is StreamState.LOST)
    keeper.move_to(bench.host.listed[0])
    wait_for(lambda: keeper.state is StreamState.RUNNING)
    assert keeper.report().device == "second"
