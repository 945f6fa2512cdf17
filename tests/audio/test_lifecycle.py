"""Every loss of a device and every race as plain events, with the time given."""

from __future__ import annotations

import itertools
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.audio.devices import KnownDevice
from sottovoce.audio.lifecycle import (
    CloseAsked,
    Command,
    DeviceSeen,
    DropStream,
    Event,
    Lifecycle,
    LifecyclePolicy,
    Opened,
    OpenFailed,
    OpenStream,
    Proven,
    QueryDevice,
    RecreateAsked,
    Report,
    RestAsked,
    RetuneAsked,
    StartAsked,
    StreamDied,
    StreamState,
    Ticked,
    WakeAsked,
)
from sottovoce.audio.watchdog import STALLED, Health, Watchdog
from sottovoce.core.errors import ConfigError

CARD = KnownDevice(3, 48000)
OTHER = KnownDevice(5, 44100)


class Machine:
    """A lifecycle with a clock that stands still until told."""

    def __init__(self, **policy: float) -> None:
        self.lifecycle = Lifecycle(LifecyclePolicy(**policy), 24000)  # type: ignore[arg-type]
        self.now_s = 100.0

    def after(self, seconds: float, event: Event) -> tuple[Command, ...]:
        self.now_s += seconds
        return self.lifecycle.handle(event, round(self.now_s * 1e9))

    def do(self, event: Event) -> tuple[Command, ...]:
        return self.after(0.0, event)

    @property
    def state(self) -> StreamState:
        return self.lifecycle.state


@pytest.fixture
def running() -> Machine:
    machine = Machine()
    machine.do(StartAsked())
    machine.do(Opened(1, CARD, 48000))
    return machine


def reports(commands: tuple[Command, ...]) -> list[Report]:
    return [command for command in commands if isinstance(command, Report)]


def test_start_opens_the_first_generation() -> None:
    machine = Machine()
    assert machine.do(StartAsked()) == (OpenStream(1, "start"),)
    assert machine.state is StreamState.OPENING
    assert machine.lifecycle.current_generation == 0, "a generation is current only once its stream is active"
    assert machine.do(Opened(1, CARD, 48000)) == ()
    assert (machine.state, machine.lifecycle.current_generation) == (StreamState.RUNNING, 1)
    assert machine.lifecycle.last_good == CARD


def test_start_that_fails_ends_closed() -> None:
    machine = Machine()
    machine.do(StartAsked())
    assert machine.do(OpenFailed(1, "refused")) == ()
    assert machine.state is StreamState.CLOSED


def test_death_drops_the_old_stream_before_it_opens_the_new(running: Machine) -> None:
    assert running.do(StreamDied(1, "the host has ended it")) == (
        DropStream(1),
        OpenStream(2, "the host has ended it"),
    )
    assert running.lifecycle.recreating
    assert running.lifecycle.current_generation == 0
    (report,) = reports(running.after(0.08, Opened(2, OTHER, 44100)))
    assert report.level == logging.INFO
    assert report.fields == {
        "reason": "the host has ended it",
        "device_id": 5,
        "stream_samplerate": 44100,
        "content_samplerate": 24000,
        "elapsed_ms": 80,
        "generation": 2,
    }
    assert not running.lifecycle.recreating
    assert running.lifecycle.recreates == 1
    assert list(running.lifecycle.recreate_durations_ns) == [80_000_000]


def test_death_told_twice_recreates_once(running: Machine) -> None:
    running.do(StreamDied(1, "no block arrives"))
    assert running.do(StreamDied(1, "the host has ended it")) == ()
    assert running.lifecycle.generation == 2


def test_slow_recreate_is_warned_about(running: Machine) -> None:
    running.do(StreamDied(1, "gone"))
    (report,) = reports(running.after(1.5, Opened(2, CARD, 48000)))
    assert report.level == logging.WARNING


def test_failed_recreate_is_lost_and_keeps_the_last_good_device(running: Machine) -> None:
    running.do(StreamDied(1, "gone"))
    assert len(reports(running.do(OpenFailed(2, "refused")))) == 1
    assert running.state is StreamState.LOST
    assert not running.lifecycle.recreating
    assert running.lifecycle.last_good == CARD


def test_lost_looks_for_a_device_after_the_cooldown_only(running: Machine) -> None:
    running.do(StreamDied(1, "gone"))
    running.do(OpenFailed(2, "refused"))
    assert running.after(0.4, Ticked()) == ()
    assert running.after(0.2, Ticked()) == (QueryDevice(),)
    assert running.do(DeviceSeen(None)) == (), "a failure is reported at most once in 5 s"
    assert running.after(0.4, Ticked()) == ()
    assert running.after(0.2, Ticked()) == (QueryDevice(),)
    assert running.do(DeviceSeen(CARD)) == (OpenStream(3, "gone"),)
    assert running.state is StreamState.RECREATING


def test_changed_device_is_acted_on_during_the_cooldown(running: Machine) -> None:
    running.do(StreamDied(1, "gone"))
    running.do(OpenFailed(2, "refused"))
    assert running.after(0.1, DeviceSeen(CARD)) == (), "the same device has just failed"
    assert running.after(0.1, DeviceSeen(OTHER)) == (OpenStream(3, "gone"),)


def test_changed_device_while_running_recreates(running: Machine) -> None:
    assert running.do(DeviceSeen(CARD)) == ()
    assert running.do(DeviceSeen(None)) == (), "a query that fails is no reason to stop what plays"
    assert running.do(DeviceSeen(OTHER)) == (DropStream(1, gently=True), OpenStream(2, "another device"))


def test_failures_in_a_row_wait_longer_but_stay_below_the_limit_of_recreates(running: Machine) -> None:
    running.do(StreamDied(1, "gone"))
    generation, attempts = 2, 1
    running.do(OpenFailed(generation, "refused"))
    began_s = running.now_s
    while running.now_s < began_s + 600.0:
        if running.after(0.05, Ticked()):
            (opening, *_) = running.do(DeviceSeen(CARD))
            assert isinstance(opening, OpenStream), f"held off {running.now_s - began_s:.0f} s after the loss"
            attempts += 1
            running.do(OpenFailed(opening.generation, "refused"))
    assert 180 < attempts < 210


def test_failure_is_reported_at_most_once_in_five_seconds(running: Machine) -> None:
    running.do(StreamDied(1, "gone"))
    told_s = []
    for generation in range(2, 40):
        if reports(running.after(0.5, OpenFailed(generation, "refused"))):
            told_s.append(running.now_s)
        running.after(0.5, DeviceSeen(OTHER if generation % 2 else CARD))
        running.lifecycle.last_good = KnownDevice(99, 8000)  # so that each device seen is another one
    gaps = [later - earlier for earlier, later in itertools.pairwise(told_s)]
    assert gaps
    assert min(gaps) >= 5.0


def test_too_many_recreates_in_a_minute_wait_for_the_minute_to_pass() -> None:
    machine = Machine(max_recreate_per_minute=3)
    machine.do(StartAsked())
    machine.do(Opened(1, CARD, 48000))
    for generation in (1, 2, 3):
        machine.after(6.0, StreamDied(generation, "flapping"))
        machine.do(Opened(generation + 1, CARD, 48000))
    commands = machine.after(6.0, StreamDied(4, "flapping"))
    assert commands[0] == DropStream(4)
    assert not any(isinstance(command, OpenStream) for command in commands)
    assert len(reports(commands)) == 1
    assert machine.state is StreamState.LOST
    assert machine.after(41.0, Ticked()) == ()
    assert machine.after(1.1, Ticked()) == (QueryDevice(),)
    assert machine.do(DeviceSeen(CARD)) == (OpenStream(5, "flapping"),)


def test_stream_that_dies_soon_again_is_not_opened_again_at_once(running: Machine) -> None:
    assert OpenStream(2, "no block arrives") in running.after(10.0, StreamDied(1, "no block arrives"))
    running.do(Opened(2, CARD, 48000))
    opened_s: list[float] = []
    running_from_s = running.now_s + 0.1
    for generation in range(2, 12):
        commands = running.after(0.1, StreamDied(generation, "no block arrives"))
        assert commands[0] == DropStream(generation)
        assert running.state is StreamState.LOST
        while running.after(0.05, Ticked()) == ():
            pass
        assert running.do(DeviceSeen(CARD)) == (OpenStream(generation + 1, "no block arrives"),)
        opened_s.append(running.now_s)
        running.do(Opened(generation + 1, CARD, 48000))
    assert opened_s[0] - running_from_s < 0.5, "with what opening takes, sound is back within a second"
    waits = [round(later - earlier, 1) for earlier, later in itertools.pairwise(opened_s)]
    assert waits[:2] == [1.1, 2.1]
    assert set(waits[2:]) == {3.1}, "never so often that the limit of recreates is reached"


def test_stream_that_has_settled_is_opened_again_at_once(running: Machine) -> None:
    for generation in range(1, 10):
        assert OpenStream(generation + 1, "gone") in running.after(6.0, StreamDied(generation, "gone"))
        running.do(Opened(generation + 1, CARD, 48000))


def test_recreate_that_is_asked_for_happens_at_once_and_once(running: Machine) -> None:
    assert running.do(RecreateAsked("new headset")) == (DropStream(1, gently=True), OpenStream(2, "new headset"))
    assert running.do(RecreateAsked("new headset")) == ()
    running.do(Opened(2, CARD, 48000))
    assert running.do(RecreateAsked("again")) == (DropStream(2, gently=True), OpenStream(3, "again"))


def test_hanging_recreate_no_longer_blocks_the_next(running: Machine) -> None:
    running.do(StreamDied(1, "gone"))
    assert running.after(4.9, Ticked()) == ()
    assert len(reports(running.after(0.2, Ticked()))) == 1
    assert not running.lifecycle.recreating
    assert running.after(0.6, Ticked()) == (QueryDevice(),)
    assert running.do(DeviceSeen(CARD)) == (OpenStream(3, "gone"),)
    assert running.do(Opened(2, CARD, 48000)) == (DropStream(2),), "what hung comes too late"
    running.do(Opened(3, CARD, 48000))
    assert (running.state, running.lifecycle.current_generation) == (StreamState.RUNNING, 3)


def test_hanging_recreate_that_comes_back_before_the_next_is_welcome(running: Machine) -> None:
    running.do(StreamDied(1, "gone"))
    running.after(6.0, Ticked())
    assert running.state is StreamState.LOST
    running.do(Opened(2, CARD, 48000))
    assert (running.state, running.lifecycle.current_generation) == (StreamState.RUNNING, 2)


def test_close_drops_the_stream(running: Machine) -> None:
    assert running.do(CloseAsked()) == (DropStream(1),)
    assert running.do(CloseAsked()) == ()
    assert running.after(10.0, Ticked()) == ()
    assert running.state is StreamState.CLOSED


def test_close_while_opening_drops_what_was_opened(running: Machine) -> None:
    running.do(StreamDied(1, "gone"))
    assert running.do(CloseAsked()) == ()
    assert running.do(Opened(2, CARD, 48000)) == (DropStream(2),)
    assert running.state is StreamState.CLOSED


def test_stream_after_a_stalled_one_is_on_trial_until_blocks_flow(running: Machine) -> None:
    stalled = StreamDied(1, STALLED, stalled=True)
    assert running.do(stalled) == (DropStream(1), OpenStream(2, STALLED, on_trial=True))
    assert running.do(Opened(2, CARD, 48000)) == ()
    assert (running.state, running.lifecycle.current_generation) == (StreamState.RECREATING, 0)
    assert running.lifecycle.trial_generation == 2
    assert running.do(Proven(1)) == ()
    assert running.after(5.9, Ticked()) == (), "a trial is not an opening that hangs"
    (report,) = reports(running.do(Proven(2)))
    assert report.fields["generation"] == 2
    assert (running.state, running.lifecycle.current_generation) == (StreamState.RUNNING, 2)
    assert running.after(10.0, StreamDied(2, "gone"))[-1] == OpenStream(3, "gone"), "what ends by itself needs no trial"


def test_trial_that_fails_is_lost_and_tried_again_soon_for_ever(running: Machine) -> None:
    running.do(StreamDied(1, STALLED, stalled=True))
    for generation in range(2, 60):
        running.do(Opened(generation, CARD, 48000))
        commands = running.after(3.1, StreamDied(generation, STALLED, stalled=True))
        assert commands[0] == DropStream(generation)
        assert running.state is StreamState.LOST
        assert not running.lifecycle.recreating
        assert running.after(0.45, Ticked()) == ()
        assert running.after(0.1, Ticked()) == (QueryDevice(),)
        assert running.do(DeviceSeen(CARD)) == (OpenStream(generation + 1, STALLED, on_trial=True),)


def test_close_drops_a_stream_on_trial(running: Machine) -> None:
    running.do(StreamDied(1, STALLED, stalled=True))
    running.do(Opened(2, CARD, 48000))
    assert running.do(CloseAsked()) == (DropStream(2),)
    assert running.do(Proven(2)) == ()
    assert running.state is StreamState.CLOSED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_recreate_per_minute", 0),
        ("hung_recreate_s", 0.0),
        ("device_query_cooldown_s", -1.0),
        ("slow_recreate_s", float("nan")),
        ("settled_after_s", 1e9),
    ],
)
def test_policy_out_of_range_names_the_value_and_what_is_allowed(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"{name} is .*; allowed: .* to ") as refused:
        LifecyclePolicy(**{name: value})  # type: ignore[arg-type]
    assert refused.value.key == name
    assert repr(value) in refused.value.message


EVENTS = st.one_of(
    st.just(Ticked()),
    st.builds(DeviceSeen, st.sampled_from([None, CARD, OTHER])),
    st.builds(Opened, st.integers(1, 8), st.sampled_from([CARD, OTHER]), st.just(48000)),
    st.builds(OpenFailed, st.integers(1, 8), st.just("refused")),
    st.builds(StreamDied, st.integers(1, 8), st.just("gone"), st.booleans()),
    st.builds(Proven, st.integers(1, 8)),
    st.sampled_from([RecreateAsked("asked"), RetuneAsked("asked"), RestAsked(), WakeAsked()]),
    st.sampled_from([StartAsked(), CloseAsked()]),
)


@given(st.lists(st.tuples(st.floats(0.0, 30.0), EVENTS), max_size=60))
def test_whatever_happens_at_most_one_stream_is_active(events: list[tuple[float, Event]]) -> None:
    machine = Machine()
    asked: set[int] = set()
    open_streams: set[int] = set()
    for seconds, event in events:
        if isinstance(event, Opened) and event.generation not in asked:
            continue  # the shell only answers what it was asked
        if isinstance(event, Opened):
            asked.discard(event.generation)
            open_streams.add(event.generation)
        for command in machine.after(seconds, event):
            match command:
                case OpenStream(generation):
                    assert generation == machine.lifecycle.generation
                    asked.add(generation)
                case DropStream(generation):
                    open_streams.discard(generation)
        current, trial = machine.lifecycle.current_generation, machine.lifecycle.trial_generation
        assert open_streams == {current, trial} - {0}
        assert not (current and trial)
        assert (machine.state is StreamState.RUNNING) == (current != 0)
        assert not trial or machine.lifecycle.recreating


def seconds(value: float) -> int:
    return round(value * 1e9)


class Watch:
    """A watchdog of 5 ms blocks, asked every 50 ms."""

    def __init__(self) -> None:
        self.dog = Watchdog(0.005)

    def look(self, now_s: float, last_block_s: float = 0.0, finished: bool = False) -> str:
        health = Health(seconds(10.0), seconds(last_block_s), finished)
        return self.dog.judge(health, seconds(now_s))


def test_watchdog_limit_is_five_periods_but_at_least_100_ms() -> None:
    assert Watchdog(0.005).limit_ns == 100_000_000
    assert Watchdog(0.1).limit_ns == 500_000_000


def test_watchdog_limit_is_at_least_two_latencies_of_the_stream() -> None:
    assert Watchdog(0.005, 0.02).limit_ns == 100_000_000
    assert Watchdog(0.005, 0.4).limit_ns == 800_000_000
    assert Watchdog(0.005, 0.4).interval_s == 0.125, "it is asked often all the same"


def test_watchdog_gives_a_stream_on_trial_time_and_believes_in_blocks_that_flow() -> None:
    dog = Watchdog(0.005)
    for step in range(60):
        burst = Health(seconds(10.0), seconds(10.05), False, on_trial=True)
        assert dog.judge(burst, seconds(10.05 + 0.05 * step)) == ""
        assert not dog.proves(burst), "a suspended device takes a few blocks, too"
    assert dog.judge(burst, seconds(13.06)) == STALLED
    assert dog.proves(Health(seconds(10.0), seconds(10.15), False, on_trial=True))


def test_watchdog_sees_a_stream_without_blocks() -> None:
    watch = Watch()
    assert watch.look(20.00, last_block_s=20.0) == ""
    assert watch.look(20.05, last_block_s=20.0) == ""
    assert watch.look(20.10, last_block_s=20.0) == ""
    assert watch.look(20.15, last_block_s=20.0) == "no block arrives"


def test_watchdog_sees_a_finished_stream_at_once() -> None:
    assert Watch().look(20.0, last_block_s=20.0, finished=True) == "the host has ended it"


def test_watchdog_gives_the_first_block_more_time() -> None:
    watch = Watch()
    looks = [(10.0 + 0.05 * step, watch.look(10.0 + 0.05 * step)) for step in range(80)]
    dead_s = [at_s for at_s, verdict in looks if verdict]
    assert dead_s
    assert 13.0 <= dead_s[0] <= 13.1


def test_watchdog_excuses_a_machine_that_slept() -> None:
    watch = Watch()
    assert watch.look(20.00, last_block_s=20.0) == ""
    assert watch.look(28.00, last_block_s=20.01) == "", "nobody had blocks while the machine slept"
    assert watch.look(28.05, last_block_s=28.02) == ""


def test_watchdog_of_a_starved_process_still_sees_a_zombie() -> None:
    watch = Watch()
    assert watch.look(20.0, last_block_s=20.0) == ""
    assert watch.look(21.0, last_block_s=20.01) == ""
    assert watch.look(22.0, last_block_s=20.01) == "no block arrives"


def test_stream_opened_anew_on_purpose_is_neither_counted_nor_limited() -> None:
    machine = Machine(max_recreate_per_minute=1)
    machine.do(StartAsked())
    machine.do(Opened(1, CARD, 48000))
    for generation in range(2, 20):
        assert machine.do(RetuneAsked("latency")) == (
            DropStream(generation - 1, gently=True),
            OpenStream(generation, "latency"),
        )
        (report,) = reports(machine.do(Opened(generation, CARD, 48000)))
        assert (report.level, report.message) == (logging.INFO, "stream opened anew")
    assert machine.lifecycle.recreates == 0
    assert not machine.lifecycle.recreate_durations_ns
    machine.do(RecreateAsked("route changed"))
    machine.do(Opened(machine.lifecycle.generation, CARD, 48000))
    assert machine.lifecycle.recreates == 1


def test_stream_that_could_not_be_opened_anew_is_lost_as_any_other(running: Machine) -> None:
    running.do(RetuneAsked("latency"))
    running.do(OpenFailed(2, "busy"))
    assert running.state is StreamState.LOST
    assert running.do(RetuneAsked("latency")) == ()
    running.after(0.6, DeviceSeen(CARD))
    running.do(Opened(3, CARD, 48000))
    assert running.lifecycle.recreates == 1
    assert running.state is StreamState.RUNNING


def test_watchdog_of_a_capture_is_more_patient() -> None:
    assert Watchdog(0.0053).limit_ns == 100_000_000
    assert Watchdog(0.0053, least_s=0.25).limit_ns == 250_000_000
    assert Watchdog(0.032, least_s=0.25).interval_s == 0.125
