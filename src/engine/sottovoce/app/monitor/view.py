"""The picture of the engine: looks and a verdict in, something that rich can draw out."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sottovoce.app.monitor.look import Growth, Held, Look, period_s
from sottovoce.app.monitor.parts import (
    ASCII,
    UNICODE,
    Glyphs,
    bar,
    duration,
    flow,
    histogram,
    labelled,
    meter,
    sentence,
)
from sottovoce.app.monitor.scene import Gone, Scene
from sottovoce.app.monitor.verdict import Health, Problem
from sottovoce.app.show import clock_time
from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.report import DurationStats, StreamReport
from sottovoce.audio.source import SourceSnapshot
from sottovoce.audio.tuning import LatencyReport
from sottovoce.core.units import FLOOR_DB

#: From so many columns on, both directions stand side by side.
WIDE_COLUMNS = 120

_LABEL_COLUMNS = 10

#: No bar is shorter; a terminal that is too narrow for it cuts it off.
_LEAST_COLUMNS = 8

#: Everything is drawn; with less, intervals are left out, then gaps and lesser facts, then histograms.
_MOST_DETAIL = 3

_HEALTH_STYLES = {Health.STARTING: "dim", Health.GOOD: "green", Health.WARNING: "yellow", Health.BAD: "red"}
_STATE_STYLES = {
    StreamState.RUNNING: "green",
    StreamState.OPENING: "yellow",
    StreamState.RECREATING: "yellow",
    StreamState.LOST: "bold red",
    StreamState.RESTING: "dim",
    StreamState.CLOSED: "dim",
}

#: Counters that are shown even while they are 0, in this order, with the style of one that is not.
_ALWAYS = {
    "output": {"underruns": "red", "starvations": "red"},
    "input": {"overruns": "red", "overrun_frames": "red"},
}
_ALSO = {
    "errors": "red",
    "shape_mismatches": "red",
    "resample_errors": "red",
    "scrubbed_samples": "yellow",
    "generation_mismatches": "yellow",
    "overlaps": "red",
    "late_blocks": "yellow",
    "pa_output_underflows": "yellow",
    "pa_output_overflows": "yellow",
    "pa_input_underflows": "yellow",
    "pa_input_overflows": "yellow",
    "held_blocks": "",
    "idle_blocks": "",
    "blocks": "",
}
_PLAIN = {"held_blocks", "idle_blocks", "blocks"}


def picture(scene: Scene, width: int, height: int | None = None, *, unicode: bool = True) -> RenderableType:
    """The whole picture, ``width`` columns wide; what matters least is left out where ``height`` rows are too few."""
    glyphs = UNICODE if unicode else ASCII
    detail, drawn = _MOST_DETAIL, _picture(scene, width, _MOST_DETAIL, glyphs)
    while height is not None and detail and _rows(drawn) > height:
        detail -= 1
        drawn = _picture(scene, width, detail, glyphs)
    return Group(*(part if isinstance(part, Text) else _beside(part, width) for part in drawn))


#: Lines one below another, or the lines of both directions side by side.
_Part = Text | tuple[list[Text], ...]


def _picture(scene: Scene, width: int, detail: int, glyphs: Glyphs) -> list[_Part]:
    streams = [(kind, Growth(scene.before.reports.get(kind), report)) for kind, report in scene.now.reports.items()]
    side_by_side = width >= WIDE_COLUMNS and len(streams) > 1
    columns = (width - 3) // 2 if side_by_side else min(width, WIDE_COLUMNS)
    panels = [list(_stream(scene, kind, growth, columns, detail, glyphs)) for kind, growth in streams]
    gap = [Text()] if detail >= 2 else []
    drawn: list[_Part] = [headline(scene, width, glyphs), *gap]
    if side_by_side:
        drawn += [tuple(panels), *gap]
    else:
        for panel in panels:
            drawn += [*panel, *gap]
    return [*drawn, *_footer(scene, width, glyphs)]


def _rows(drawn: list[_Part]) -> int:
    def of(part: _Part) -> int:
        return part.plain.count("\n") + 1 if isinstance(part, Text) else max(sum(map(of, panel)) for panel in part)

    return sum(map(of, drawn))


def _beside(panels: tuple[list[Text], ...], width: int) -> RenderableType:
    table = Table.grid(padding=(0, 3, 0, 0))
    for _ in panels:
        table.add_column(width=(width - 3) // 2, no_wrap=True)
    table.add_row(*(Group(*panel) for panel in panels))
    return table


def headline(scene: Scene, width: int, glyphs: Glyphs) -> Text:
    """The verdict: healthy, or each thing that is wrong and what to do about it."""
    style = _HEALTH_STYLES[scene.verdict.health]
    if not scene.verdict.problems:
        word = "starting" if scene.verdict.health is Health.STARTING else "healthy"
        since = flow([Text(word, f"bold {style}"), *_summary(scene)], width - 2, glyphs.between)
        return labelled(Text(f"{glyphs.dot} ", f"bold {style}"), since)
    return Text("\n").join(_problem(problem, width, glyphs) for problem in scene.verdict.problems)


def _problem(problem: Problem, width: int, glyphs: Glyphs) -> Text:
    style = f"bold {_HEALTH_STYLES[problem.health]}"
    what, mend = sentence(problem.what, width - 2, style), sentence(problem.mend, width - 5)
    drawn = labelled(Text(f"{glyphs.dot} ", style), what)
    one_line = len(problem.what) + len(problem.mend) + 6 <= width
    drawn.append(" " if one_line else "\n  ")
    return drawn.append_text(labelled(Text(f"{glyphs.arrow} "), mend, 2 if one_line else 4))


def _summary(scene: Scene) -> Iterator[str]:
    yield f"for {clock_time(scene.elapsed_s)}"
    for kind, lost in (("output", "underruns"), ("input", "overruns")):
        report = scene.now.reports.get(kind)
        if report is not None and lost in report.counters:
            count = report.counters[lost]
            yield f"{count or 'no'} {lost.removesuffix('s') if count == 1 else lost}"
    opened = sum(report.recreates for report in scene.now.reports.values())
    if opened:
        yield f"opened again {opened} times"


def _stream(scene: Scene, kind: str, growth: Growth, width: int, detail: int, glyphs: Glyphs) -> Iterator[Text]:
    report, room = growth.now, width - _LABEL_COLUMNS
    title = Text(f"{kind.upper():<{_LABEL_COLUMNS}}", "bold")
    yield labelled(title, flow(_facts(report, scene.gone.get(kind), detail, glyphs), room, glyphs.between))
    for label, content in _rows_of(scene, kind, growth, room, detail, glyphs):
        yield labelled(Text(f"{label:<{_LABEL_COLUMNS}}", "dim"), content)


def _rows_of(
    scene: Scene, kind: str, growth: Growth, room: int, detail: int, glyphs: Glyphs
) -> Iterator[tuple[str, Text]]:
    report = growth.now
    if report.state is StreamState.RUNNING:
        yield "level", _level(report, scene.held.get(kind, Held()), room, glyphs)
        yield from _durations(growth, room, detail, glyphs)
    if kind == "input" and scene.now.input is not None:
        yield "unread", _ring(scene.now.input.backlog_s, scene.now.input.buffer_s, "", room, glyphs, full="red")
    if kind == "output" and scene.now.output is not None:
        for number, source in enumerate(scene.now.output.sources, 1):
            yield f"source {number}", _source(source, room, glyphs)
    if report.counters:
        yield "counted", flow(_counts(kind, growth, detail), room, glyphs.between)
    if kind == "output" and scene.now.output is not None and scene.now.output.moved_sources:
        moved = scene.now.output.moved_sources
        yield "moved", Text(f"resampling of {moved} source{'s' * (moved > 1)} has left the callback")
    if reflex := _reflex(scene.now, kind):
        yield reflex
    if report.recreates:
        yield "reopened", flow(_recreates(report, glyphs), room, glyphs.between)


def _facts(report: StreamReport, gone: Gone | None, detail: int, glyphs: Glyphs) -> Iterator[Text | str]:
    yield Text(report.device or (gone.device if gone else "") or "no device", "bold cyan")
    yield Text(report.state.value + (f" for {gone.for_s:.1f} s" if gone else ""), _STATE_STYLES[report.state])
    if report.generation:
        yield f"generation {report.generation}"
    if not report.samplerate:
        return
    yield f"{report.samplerate} Hz"
    yield "mono" if report.channels == 1 else "stereo" if report.channels == 2 else f"{report.channels} channels"
    yield f"{report.blocksize or 'any'} frames a block, {duration(period_s(report) * 1e9, glyphs)}"
    yield f"latency {duration(report.latency_s * 1e9, glyphs)}"
    if report.latency.tuned:
        yield _tuned(report.latency, glyphs)
    if detail < 2:
        return
    if report.priority.text != "unknown":
        yield Text(f"priority {report.priority.text}", "" if report.priority.text.startswith("realtime") else "yellow")
    if report.way:
        yield f"by {report.way}"


def _tuned(latency: LatencyReport, glyphs: Glyphs) -> Text:
    grown = f", grown {_times(latency.grown)}" if latency.grown else ""
    ceiling = ", at its ceiling" if latency.at_ceiling else ""
    said = f"tuned to {duration(latency.asked_s * 1e9, glyphs)}{grown}{ceiling}"
    return Text(said, "yellow" if latency.at_ceiling else "")


def _level(report: StreamReport, held: Held, width: int, glyphs: Glyphs) -> Text:
    words = f" {report.rms_dbfs:5.1f} dBFS, peak {held.peak_dbfs:5.1f}"
    if held.peak_dbfs <= FLOOR_DB:
        words = f"{' silent':<{len(' -20.0 dBFS, peak -10.0')}}"
    clip = Text(" CLIP", "bold red") if held.clipped else Text("     ")
    drawn = meter(report.rms_dbfs, held.peak_dbfs, max(_LEAST_COLUMNS, width - len(words) - 5), glyphs)
    return drawn.append(words).append_text(clip)


def _durations(growth: Growth, width: int, detail: int, glyphs: Glyphs) -> Iterator[tuple[str, Text]]:
    report, block_ns = growth.now, period_s(growth.now) * 1e9
    callback, interval = report.callback, report.interval
    if not callback.count or not block_ns:
        return
    share = Text(f"{_percent(callback.p99_ns / block_ns)} of {duration(block_ns, glyphs)} at p99", "bold")
    figures = [f"{name} {duration(ns, glyphs)}" for name, ns in _percentiles(callback)]
    yield "callback", flow([share, *figures], width, glyphs.between)
    if detail:
        low, high = f"0.1 {glyphs.micro}s ", " 100 ms"
        drawn = histogram(callback, max(_LEAST_COLUMNS, width - len(low) - len(high)), glyphs, block_ns)
        yield "", Text.assemble((low, "dim"), drawn, (high, "dim"))
    if detail >= _MOST_DETAIL:
        figures = [
            f"p50 {duration(interval.p50_ns, glyphs)}",
            f"p99 {_signed(interval.p99_ns - block_ns, glyphs)} from a block",
            f"max {duration(interval.max_ns, glyphs)}",
        ]
        yield "interval", flow(figures, width, glyphs.between)
    if report.resampling.count:
        figures = [f"{name} {duration(ns, glyphs)}" for name, ns in _percentiles(report.resampling)]
        yield "resampled", flow(["in the callback", *figures], width, glyphs.between)


def _percentiles(stats: DurationStats) -> tuple[tuple[str, int], ...]:
    return ("p50", stats.p50_ns), ("p95", stats.p95_ns), ("p99", stats.p99_ns), ("max", stats.max_ns)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"


def _signed(ns: float, glyphs: Glyphs) -> str:
    return f"{'-' if ns < 0 else '+'}{duration(abs(ns), glyphs)}"


def _source(source: SourceSnapshot, width: int, glyphs: Glyphs) -> Text:
    state = "paused" if source.paused else "starved" if source.counters.get("starvations") else ""
    resampled = {"callback": "resampled in the callback", "producer": "resampled before"}.get(source.resampling, "")
    words = ", ".join(filter(None, (f"generation {source.generation}", resampled, state)))
    return _ring(source.queued_s, source.capacity_s, words, width, glyphs)


def _ring(held_s: float, most_s: float, words: str, width: int, glyphs: Glyphs, full: str = "cyan") -> Text:
    share = held_s / most_s if most_s else 0.0
    said = f" {held_s * 1e3:5.0f} of {most_s * 1e3:.0f} ms" + (f", {words}" if words else "")
    return bar(share, max(_LEAST_COLUMNS, width - len(said)), glyphs, full if share > 0.8 else "cyan").append(said)


def _counts(kind: str, growth: Growth, detail: int) -> Iterator[Text]:
    counters = growth.now.counters
    for name, style in (_ALWAYS[kind] | _ALSO).items():
        count = counters.get(name, 0)
        if name not in counters or (name in _PLAIN and detail < 2):
            continue
        if not (count or name in _ALWAYS[kind]):
            continue
        added = growth.of(name) if name not in _PLAIN else 0
        words = name.removeprefix("pa_").replace("_", " ")
        if name.startswith("pa_"):
            words = f"PortAudio {words}"
        more = f" (+{added})" if added else ""
        yield Text(f"{words} {count}{more}", ("bold " if added else "") + style if count and style else "")


def _reflex(look: Look, kind: str) -> tuple[str, Text] | None:
    """How often somebody was heard to speak, and how often what played has yielded to that."""
    side, label, times, blocks = look.output.counters if look.output else {}, "yielded", "yields", "yielded_blocks"
    if kind == "input":
        side, label, times, blocks = look.input.activity if look.input else {}, "speech", "activations", "active_blocks"
    if not side.get(times):
        return None
    return label, Text(f"{_times(side[times])}, in {side.get(blocks, 0)} blocks")


def _recreates(report: StreamReport, glyphs: Glyphs) -> Iterator[str]:
    yield _times(report.recreates)
    if report.recreate_durations_ns:
        yield f"last took {duration(report.recreate_durations_ns[-1], glyphs)}"
    yield report.recreate_reason


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _footer(scene: Scene, width: int, glyphs: Glyphs) -> Iterator[Text]:
    for message in scene.messages:
        yield Text(message, "dim", no_wrap=True, overflow="ellipsis" if glyphs is UNICODE else "crop")
    facts = [clock_time(scene.elapsed_s), f"playing {scene.playing}", scene.keys]
    yield flow([Text(fact, "dim") for fact in facts if fact], width, glyphs.between)
