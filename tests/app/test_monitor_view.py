"""The picture of the monitor, on looks that never change; `python -m tests.app.test_monitor_view` renews the files."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from sottovoce.app.monitor.lines import as_json, line
from sottovoce.app.monitor.parts import ASCII, UNICODE, bar, duration, histogram, meter
from sottovoce.app.monitor.scene import Scene, Watcher
from sottovoce.app.monitor.view import picture
from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.report import DurationStats
from sottovoce.audio.tuning import LatencyReport
from sottovoce.core.units import FLOOR_DB
from tests.app.monitor_scenes import look, player, recorder, report, source

PICTURES = Path(__file__).with_name("pictures")
DOCUMENT = Path(__file__).parents[2] / "docs" / "monitor.md"


def healthy() -> Scene:
    watcher = Watcher("a tone of 440 Hz", "q quits, c clears peaks")
    watcher.see(look(0.0, player(None, source(0.4)), recorder()))
    return watcher.see(look(75.0, player(report("output", {"blocks": 14_000, "idle_blocks": 8}), source()), recorder(
        report("input", {"blocks": 14_000}), spoken=2)))  # fmt: skip


def troubled() -> Scene:
    """A headset that has come back, a source that starves, a microphone that is muted and one that clips."""
    watcher = Watcher("speech.wav")
    muted = {"peak_dbfs": FLOOR_DB, "rms_dbfs": FLOOR_DB}
    watcher.see(look(0.0, player(None, source()), recorder(report("input", None, **muted))))
    back = report(
        "output",
        {"blocks": 2000, "underruns": 12, "starvations": 2, "pa_output_underflows": 3},
        generation=3,
        latency=LatencyReport(0.04, True, 1, False),
        recreates=2,
        recreate_reason="no block arrives",
        recreate_durations_ns=(90_000_000, 120_000_000),
        peak_dbfs=0.0,
    )
    silent = report("input", {"blocks": 1950}, **muted)
    messages = ("warning: audio: no sound: the device is lost reason=no block arrives lost_s=0.1",)
    played = dataclasses.replace(player(back, source(0.0, starvations=2)), moved_sources=1)
    return watcher.see(look(5.0, played, recorder(silent)), messages)


def lost() -> Scene:
    watcher = Watcher("silence")
    watcher.see(look(0.0, player()))
    gone = report(
        "output",
        state=StreamState.LOST,
        generation=0,
        device="",
        samplerate=0,
        recreate_reason="the host has ended it",
        callback=DurationStats(),
    )
    return watcher.see(look(5.0, player(gone)))


SCENES = {
    "healthy-60": (healthy, 60, None, True),
    "healthy-100": (healthy, 100, None, True),
    "healthy-130": (healthy, 130, None, True),
    "healthy-60x20-ascii": (healthy, 60, 20, False),
    "troubled-60": (troubled, 60, None, True),
    "troubled-100": (troubled, 100, None, True),
    "lost-80-ascii": (lost, 80, None, False),
}


def drawn(name: str) -> str:
    make, width, height, unicode = SCENES[name]
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(picture(make(), width, height, unicode=unicode))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(row.rstrip() for row in text.splitlines()) + "\n"


@pytest.mark.parametrize("name", SCENES)
def test_picture_is_as_it_was(name: str) -> None:
    wanted = (PICTURES / f"{name}.txt").read_text(encoding="utf-8")
    assert drawn(name) == wanted, "if it is better so: python -m tests.app.test_monitor_view"


@pytest.mark.parametrize("name", SCENES)
def test_picture_keeps_within_its_columns_rows_and_characters(name: str) -> None:
    _, width, height, unicode = SCENES[name]
    rows = drawn(name).splitlines()
    assert max(map(len, rows)) <= width
    assert len(rows) <= (height or 50)
    assert unicode or drawn(name).isascii()


@pytest.mark.parametrize("make", [healthy, troubled, lost])
@pytest.mark.parametrize("width", [1, 20, 40, 119, 120, 121, 250])
def test_any_terminal_is_drawn_on(make: Callable[[], Scene], width: int) -> None:
    for height in (1, 10, None):
        console = Console(file=io.StringIO(), width=width, color_system=None)
        console.print(picture(make(), width, height))
        rows = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        assert max(map(len, rows)) <= width


def test_too_few_rows_leave_the_verdict_and_what_is_lost() -> None:
    console = Console(file=io.StringIO(), width=60, color_system=None)
    console.print(picture(troubled(), 60, 3))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.startswith("● a source ran dry")
    assert "underruns 12 (+12)" in text
    assert "interval" not in text


def test_line_tells_the_worst_and_both_streams() -> None:
    assert line(healthy()) == (
        "1:15 healthy | output USB headset running, p99 0.2 % of a block, -32 dBFS, underruns 0, queued 500 ms | "
        "input USB headset running, p99 0.2 % of a block, -32 dBFS, overruns 0"
    )
    assert line(troubled()).startswith("0:05 a source ran dry: 12 blocks had too little to play (and 4 more) | output")
    assert "output no device lost" in line(lost())


def test_json_has_every_counter_and_no_buckets() -> None:
    told = json.loads(json.dumps(as_json(troubled())))
    assert (told["health"], told["problems"][0]["name"]) == ("bad", "output-starving")
    assert told["output"]["stream"]["state"] == "running"
    assert told["output"]["stream"]["counters"]["underruns"] == 12
    assert told["output"]["sources"][0]["queued_s"] == 0.0
    assert set(told["input"]["stream"]["callback"]) == {"count", "p50_ns", "p95_ns", "p99_ns", "max_ns"}
    assert json.loads(json.dumps(as_json(lost())))["input"] is None


def test_every_key_of_the_json_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {key for item in value.values() for key in keys(item)}
        return {key for item in value for key in keys(item)} if isinstance(value, list) else set()

    assert sorted(key for key in keys(as_json(troubled())) if f"`{key}`" not in text) == []


@pytest.mark.parametrize(("share", "shown"), [
    (-1.0, ".........."), (0.0, ".........."), (0.25, "##........"), (1.0, "##########"), (7.0, "##########"),
])  # fmt: skip
def test_bar_is_as_long_as_its_share(share: float, shown: str) -> None:
    assert bar(share, 10, ASCII).plain == shown


def test_bar_counts_eighths_where_it_can() -> None:
    assert [bar(eighths / 16, 2, UNICODE).plain for eighths in (1, 7, 8, 9)] == ["▏·", "▉·", "█·", "█▏"]


@pytest.mark.parametrize(
    ("level_dbfs", "held_dbfs", "shown"),
    [
        (-120.0, -120.0, "............"),
        (-30.0, -10.0, "######....|."),
        (0.0, 0.0, "###########|"),
        (6.0, 6.0, "###########|"),
    ],
)
def test_meter_goes_from_minus_60_to_full_scale(level_dbfs: float, held_dbfs: float, shown: str) -> None:
    assert meter(level_dbfs, held_dbfs, 12, ASCII).plain == shown


def test_histogram_is_logarithmic_and_marks_the_end_of_a_block() -> None:
    stats = DurationStats(10_101, 0, 0, 0, 0, ((50, 100), (1_500, 10_000), (10**9, 1)))
    assert histogram(stats, 12, ASCII, 5_333_333).plain == "+.@......|.."[:11] + "."
    assert histogram(DurationStats(), 6, ASCII).plain == "......"


@pytest.mark.parametrize(
    ("ns", "said"),
    [
        (0, "0.0 us"),
        (383, "0.4 us"),
        (9_960, "10 us"),
        (999_400, "999 us"),
        (999_600, "1.0 ms"),
        (120e6, "120 ms"),
        (3.4e9, "3.4 s"),
    ],
)
def test_duration_has_the_unit_that_fits(ns: float, said: str) -> None:
    assert duration(ns) == said


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for scene in SCENES:
        (PICTURES / f"{scene}.txt").write_text(drawn(scene), encoding="utf-8")
