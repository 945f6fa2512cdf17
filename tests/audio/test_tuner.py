"""The latency that tunes itself, with the time given: it grows, it comes back, it does not swing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sottovoce.audio.tuner import Change, DeviceRange, LatencyTuner, Look, TunerPolicy

CARD = DeviceRange("alsa/card", 0.01, 0.3, 0.005)
HEADSET = DeviceRange("alsa/headset", 0.04, 0.4, 0.005)
POLICY = TunerPolicy()


class Machine:
    """A tuner whose stream was just opened, and a clock; a look every 100 ms."""

    def __init__(self) -> None:
        self.tuner = LatencyTuner()
        self.now_ns = 1
        self.starvations = 0
        self.opens()

    def opens(self, device: DeviceRange = CARD) -> None:
        self.starvations = 0
        self.tuner.opens(device)

    def look(self, *, starved: int = 0, deepest_s: float = 0.004, idle: bool = False) -> Change | None:
        self.now_ns += 100_000_000
        self.starvations += starved
        change = self.tuner.look(Look(self.starvations, deepest_s, idle), self.now_ns)
        if change:
            self.opens()
        return change

    def run(self, seconds: float, *, deepest_s: float = 0.004, idle: bool = False) -> list[Change]:
        """Nothing special for some seconds."""
        looks = (self.look(deepest_s=deepest_s, idle=idle) for _ in range(round(seconds * 10)))
        return [change for change in looks if change]

    def starve(self, deepest_s: float = 0.02) -> Change:
        """Grow, which takes two streams that settle."""
        self.run(POLICY.settle_s + 0.1)
        change = self.look(starved=3, deepest_s=deepest_s)
        assert change is not None
        return change


def test_it_starts_at_the_floor() -> None:
    tuner = LatencyTuner()
    assert (tuner.latency_s, tuner.at_ceiling) == (0.0, False)
    assert tuner.opens(CARD) == tuner.latency_s == 0.01
    assert tuner.look(Look(0, 0.0, True), 0) is None


def test_starvations_grow_it_at_once_and_are_told_in_words() -> None:
    machine = Machine()
    change = machine.starve()
    assert (change.old_s, change.new_s, change.at_ceiling) == (0.01, pytest.approx(0.02), False)
    assert change.reason == "latency 10.0 to 20.0 ms: the device starves"
    assert machine.tuner.grown == 1


def test_it_grows_to_what_would_have_held_what_was_measured() -> None:
    assert Machine().starve(deepest_s=0.1).new_s >= 0.12


def test_what_happens_while_a_stream_settles_counts_for_nothing() -> None:
    machine = Machine()
    assert machine.look(starved=50) is None
    assert not machine.run(5.0)


def test_one_starvation_waits_for_a_pause() -> None:
    machine = Machine()
    machine.run(2.0)
    assert machine.look(starved=1, deepest_s=0.02) is None
    assert not machine.run(60.0), "something plays"
    (change,) = machine.run(POLICY.short_idle_s + 0.2, idle=True)
    assert change.new_s > change.old_s


def test_standing_still_for_longer_than_any_latency_grows_nothing() -> None:
    machine = Machine()
    machine.run(2.0)
    assert machine.look(starved=5, deepest_s=1.5) is None
    assert not machine.run(20.0, idle=True)


def test_at_the_ceiling_it_stays_and_knows_it() -> None:
    machine = Machine()
    changes = [machine.starve() for _ in range(5)]
    assert changes[-1].at_ceiling
    assert machine.tuner.latency_s == CARD.ceiling_s
    machine.run(2.0)
    assert machine.look(starved=10) is None
    assert machine.tuner.at_ceiling
    assert machine.tuner.grown == 5


def test_it_comes_back_only_while_idle_and_after_the_bar() -> None:
    machine = Machine()
    machine.starve()
    assert not machine.run(300.0), "something plays"
    (change,) = machine.run(POLICY.idle_s + 0.2, idle=True)
    assert change.new_s < change.old_s
    assert change.reason.endswith("less is enough")


def test_it_comes_back_only_to_what_holds_what_was_measured() -> None:
    machine = Machine()
    machine.starve()
    held_s = machine.tuner.latency_s
    assert not machine.run(400.0, deepest_s=held_s, idle=True)
    assert machine.run(400.0, deepest_s=0.001, idle=True)[-1].new_s == CARD.floor_s


def test_a_value_that_starves_again_is_left_alone_for_twice_as_long() -> None:
    machine = Machine()
    waits = []
    for _ in range(4):
        machine.starve()
        waited_s = 0.0
        while machine.tuner.latency_s > CARD.floor_s:
            machine.run(1.0, idle=True)
            waited_s += 1.0
        waits.append(waited_s)
    assert waits[0] == pytest.approx(POLICY.bar_s, abs=POLICY.calm_s + 2.0)
    for shorter, longer in itertools.pairwise(waits):
        assert longer == pytest.approx(2 * shorter, abs=POLICY.calm_s + 2.0)


def test_each_device_has_its_own_value() -> None:
    machine = Machine()
    grown_s = machine.starve().new_s
    assert machine.tuner.opens(HEADSET) == HEADSET.floor_s
    assert machine.tuner.opens(CARD) == grown_s


def test_device_without_room_is_at_its_ceiling_from_the_start() -> None:
    tuner = LatencyTuner()
    assert tuner.opens(DeviceRange("fixed", 0.05, 0.05, 0.005)) == 0.05
    assert tuner.at_ceiling


LOOKS = st.lists(
    st.tuples(
        st.integers(1, 30_000),  # ms since the last look
        st.integers(0, 5),  # starvations
        st.floats(0.0, 0.5),  # deepest
        st.booleans(),  # idle
        st.sampled_from([None, None, None, None, CARD, HEADSET]),  # another device
    ),
    max_size=200,
)


@given(LOOKS)
@settings(deadline=None)
def test_it_stays_in_range_asks_before_it_changes_and_never_swings_faster_than_the_bar(
    looks: list[tuple[int, int, float, bool, DeviceRange | None]],
) -> None:
    tuner, device, now_ns, starvations = LatencyTuner(), CARD, 0, 0
    asked_s = tuner.opens(CARD)
    starved_ns: dict[tuple[str, float], int] = {}
    for ms, starved, deepest_s, idle, plugged in looks:
        now_ns += ms * 1_000_000
        if plugged:
            device, starvations, asked_s = plugged, 0, tuner.opens(plugged)
        starvations += starved
        change = tuner.look(Look(starvations, deepest_s, idle), now_ns)
        assert device.floor_s <= tuner.latency_s <= device.ceiling_s
        assert tuner.at_ceiling == (tuner.latency_s == device.ceiling_s)
        if change is None:
            assert tuner.latency_s == asked_s, "the value in use is the one that was asked for last"
            continue
        assert (change.old_s, change.new_s) == (asked_s, tuner.latency_s)
        if change.new_s > change.old_s:
            starved_ns[device.device, change.old_s] = now_ns
        else:
            assert idle
            assert change.old_s != change.new_s
            assert not starved, "it never shrinks while it starves"
            for (name, value_s), at_ns in starved_ns.items():
                if name == device.device and value_s >= change.new_s:
                    assert now_ns - at_ns >= POLICY.bar_s * 1e9
        asked_s, starvations = tuner.opens(device), 0
        assert asked_s == change.new_s


@given(st.lists(st.tuples(st.integers(3, 9), st.floats(0.0, 0.3), st.booleans()), min_size=1, max_size=30))
def test_it_only_grows_while_it_starves_until_the_ceiling(starving: list[tuple[int, float, bool]]) -> None:
    machine = Machine()
    before_s = machine.tuner.latency_s
    for starved, deepest_s, idle in starving:
        machine.run(POLICY.settle_s + 0.1)
        change = machine.look(starved=starved, deepest_s=deepest_s, idle=idle)
        assert (change is None) == (before_s == CARD.ceiling_s)
        assert machine.tuner.latency_s > before_s or machine.tuner.at_ceiling
        before_s = machine.tuner.latency_s


def test_it_comes_back_although_the_output_rests_whenever_nothing_plays() -> None:
    machine = Machine()
    machine.starve()
    changes: list[Change] = []
    for _ in range(20):
        machine.run(3.0)  # somebody is answered
        changes += machine.run(POLICY.idle_s + 0.1, idle=True)
        machine.now_ns += 120_000_000_000
        machine.starvations = 0
        machine.tuner.opens(CARD, rested=True)
    assert changes
    assert changes[-1].new_s == CARD.floor_s


def test_a_rest_is_no_calm() -> None:
    machine = Machine()
    machine.starve()
    machine.run(POLICY.settle_s + 0.1)
    machine.now_ns += 3_600_000_000_000
    machine.starvations = 0
    machine.tuner.opens(CARD, rested=True)
    assert not machine.run(POLICY.calm_s - 3.0, idle=True), "an hour of rest says nothing of the device"
    assert machine.run(3.0, idle=True)
