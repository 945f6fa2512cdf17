"""What two looks at the engine mean: every fault alone, the worst first, and no fault where there is none."""

from __future__ import annotations

import pytest

from sottovoce.app.monitor.look import Held, History, Look
from sottovoce.app.monitor.scene import Watcher
from sottovoce.app.monitor.verdict import Health, judge
from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.report import DurationStats
from sottovoce.audio.tuning import LatencyReport
from sottovoce.core.units import FLOOR_DB
from tests.app.monitor_scenes import look, player, recorder, report

LATE = DurationStats(1100, 1023, 5119, 4_000_000, 4_000_000, ((1023, 1000), (4_000_000, 100)))
ONE_SLOW = DurationStats(11_000, 1023, 5119, 5119, 7_000_000, ((1023, 10_999), (7_000_000, 1)))


def judged(kind: str, apart_s: float = 5.0, counters: dict[str, int] | None = None, **changes: object) -> list[str]:
    """Names of the problems of a stream that has changed so since a healthy look, as "health name"."""
    make = {"output": lambda stream: look(apart_s, player(stream)), "input": lambda s: look(apart_s, None, recorder(s))}
    before = make[kind](report(kind))
    now = make[kind](report(kind, {"blocks": 2000} | (counters or {}), **changes))
    verdict = judge(Look(0, before.output, before.input, before.highest_dbfs), now)
    assert all(problem.what and problem.mend for problem in verdict.problems)
    return [f"{problem.health.value} {problem.name}" for problem in verdict.problems]


@pytest.mark.parametrize("kind", ["output", "input"])
def test_stream_that_runs_well_has_no_problem(kind: str) -> None:
    assert judged(kind) == []


@pytest.mark.parametrize(
    ("kind", "changes", "names"),
    [
        ("output", {"state": StreamState.LOST, "samplerate": 0}, ["bad output-lost"]),
        ("input", {"state": StreamState.LOST, "samplerate": 0}, ["bad input-lost"]),
        ("output", {"state": StreamState.RECREATING}, ["warning output-reopening"]),
        ("output", {"state": StreamState.CLOSED}, ["bad output-closed"]),
        ("output", {"counters": {"blocks": 1003}}, ["bad output-stalled"]),
        ("output", {"recreates": 1, "generation": 2}, ["warning output-reopened"]),
        ("input", {"recreates": 3, "generation": 4}, ["bad input-storm"]),
        ("output", {"callback": LATE}, ["bad output-late"]),
        ("input", {"callback": ONE_SLOW}, ["warning input-slow-block"]),
        ("output", {"counters": {"underruns": 2, "starvations": 1}}, ["bad output-starving"]),
        ("input", {"counters": {"overruns": 1, "overrun_frames": 80}}, ["bad input-overrun"]),
        ("output", {"counters": {"pa_output_underflows": 1}}, ["warning output-gaps"]),
        ("input", {"counters": {"late_blocks": 2}}, ["warning input-gaps"]),
        ("input", {"counters": {"pa_input_overflows": 4}}, ["warning input-gaps"]),
        ("output", {"latency": LatencyReport(0.5, True, 4, True)}, ["warning output-latency-ceiling"]),
        ("output", {"counters": {"shape_mismatches": 1}}, ["bad output-broken-blocks"]),
        ("input", {"counters": {"errors": 1}}, ["bad input-broken-blocks"]),
        ("output", {"counters": {"resample_errors": 1}}, ["bad output-resample-errors"]),
        ("output", {"counters": {"scrubbed_samples": 9}}, ["warning output-scrubbed"]),
        ("output", {"peak_dbfs": 0.0}, ["warning output-clipping"]),
        ("input", {"peak_dbfs": -0.0003}, ["warning input-clipping"]),
        ("input", {"peak_dbfs": FLOOR_DB}, ["warning input-silent"]),
        ("input", {"samplerate": 16000}, ["warning input-telephone"]),
        ("output", {"samplerate": 8000}, ["warning output-telephone"]),
    ],
)
def test_fault_is_named_alone(kind: str, changes: dict[str, object], names: list[str]) -> None:
    counters = changes.pop("counters", None)
    assert judged(kind, counters=counters, **changes) == names  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("output", {"peak_dbfs": FLOOR_DB}),  # nothing is played
        ("input", {"peak_dbfs": FLOOR_DB, "apart_s": 0.5}),  # too short a look to tell
        ("output", {"counters": {"blocks": 1003}, "apart_s": 0.2}),
        ("input", {"counters": {"generation_mismatches": 3}}),  # the last blocks of a stream that was given up
    ],
)
def test_what_is_no_fault_is_not_named(kind: str, changes: dict[str, object]) -> None:
    assert judged(kind, **changes) == []  # type: ignore[arg-type]


def test_worst_comes_first_and_decides() -> None:
    assert judged("output", counters={"underruns": 1}, peak_dbfs=0.0, recreates=1) == [
        "bad output-starving",
        "warning output-reopened",
        "warning output-clipping",
    ]


def test_lost_stream_has_no_other_problem() -> None:
    lost = {"state": StreamState.LOST, "recreates": 3, "peak_dbfs": FLOOR_DB}
    assert judged("input", counters={"overrun_frames": 9}, **lost) == ["bad input-lost"]


def test_fault_of_long_ago_is_none_of_now() -> None:
    stream = report("output", {"underruns": 7})
    assert judge(look(0.0, player(stream)), look(5.0, player(report("output", {"underruns": 7, "blocks": 2000})))) == (
        judge(look(0.0), look(5.0))
    )


def test_why_and_how_long_are_told() -> None:
    stream = report(
        "output",
        {"blocks": 2000},
        recreates=1,
        recreate_reason="no block arrives",
        recreate_durations_ns=(120_000_000,),
    )
    problem = judge(look(0.0, player()), look(5.0, player(stream))).problems[0]
    assert problem.what == "the output was opened again, which took 120 ms: no block arrives"


def test_before_the_first_block_nobody_can_tell() -> None:
    fresh = player(report("output", {"blocks": 0}, callback=DurationStats()))
    assert judge(look(0.0, fresh), look(0.1, fresh)).health is Health.STARTING
    assert judge(look(0.0, fresh), look(5.0, player())).health is Health.GOOD


def test_history_compares_over_ten_seconds_and_keeps_the_highest_peak() -> None:
    history = History()
    for at_s in range(30):
        stream = report("input", peak_dbfs=0.0 if at_s == 15 else -40.0)
        before, now = history.add(look(at_s, None, recorder(stream)))
        assert now.at_ns - before.at_ns == min(at_s, 10) * 1e9
        assert now.highest_dbfs == {"input": 0.0 if 15 <= at_s <= 25 else -40.0}


def test_peak_is_held_two_seconds_and_a_clip_for_good() -> None:
    held = Held()
    levels = {0.0: -10.0, 1.0: -30.0, 2.0: -30.0, 2.5: -30.0}
    seen = []
    for at_s, level in levels.items():
        held = held.update(level, round(at_s * 1e9))
        seen.append(held.peak_dbfs)
    assert seen == [-10.0, -10.0, -10.0, -30.0]
    assert not held.clipped
    assert held.update(0.0, 3 * 10**9).update(-50.0, 9 * 10**9).clipped


def test_watcher_counts_from_its_first_look_and_forgets_peaks_when_told() -> None:
    watcher = Watcher()
    watcher.see(look(100.0, player(report("output", peak_dbfs=0.0))))
    scene = watcher.see(look(103.0, player()))
    assert (scene.elapsed_s, scene.held["output"].clipped) == (3.0, True)
    watcher.clear()
    assert not watcher.see(look(104.0, player())).held["output"].clipped
