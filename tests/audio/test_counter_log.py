"""What of the counters reaches the log, and how often."""

from __future__ import annotations

from sottovoce.audio.counter_log import CounterLog


def said(log: CounterLog, now_s: float, **counters: int) -> list[tuple[str, dict[str, object]]]:
    return [(report.message, report.fields) for report in log.look(counters, round(now_s * 1e9))]


def test_nothing_is_said_of_what_has_not_happened() -> None:
    assert said(CounterLog(), 1.0, blocks=1000, underruns=0, starvations=0, shape_mismatches=0) == []


def test_running_dry_is_said_at_once_and_then_at_most_every_ten_seconds() -> None:
    log = CounterLog()
    assert said(log, 1.0, starvations=2) == [("sound ran dry in mid-utterance", {"new": 2, "total": 2})]
    assert said(log, 5.0, starvations=7) == []
    assert said(log, 10.9, starvations=8) == []
    assert said(log, 11.1, starvations=9) == [("sound ran dry in mid-utterance", {"new": 7, "total": 9})]
    assert said(log, 60.0, starvations=9) == []


def test_each_kind_has_its_own_pace() -> None:
    log = CounterLog()
    assert len(said(log, 1.0, starvations=1)) == 1
    assert len(said(log, 2.0, starvations=1, overruns=1, errors=1, resample_errors=1)) == 3


def test_first_and_every_hundredth_shape_mismatch_is_said() -> None:
    log = CounterLog()
    totals = [count for count in range(501) if said(log, count / 100, shape_mismatches=count)]
    assert totals == [1, 100, 200, 300, 400, 500]


def test_a_look_is_due_every_second() -> None:
    log = CounterLog()
    assert log.due(0)
    log.look({}, 5_000_000_000)
    assert not log.due(5_900_000_000)
    assert log.due(6_000_000_000)
