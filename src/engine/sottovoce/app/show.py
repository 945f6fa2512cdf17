"""What a person sees of a session: the question as it was heard, its theses as they are spoken, their times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from types import TracebackType

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sottovoce.app.money import shown_cost
from sottovoce.app.view import IgnoredUtterance, SessionView, ThesisView, TurnView
from sottovoce.assistant.messages import Utterance
from sottovoce.assistant.notices import (
    BackendChanged,
    BackendFailed,
    Began,
    BudgetReached,
    Decided,
    Notice,
    PriceUnknown,
    StageReached,
)
from sottovoce.core.queues import BoundedQueue
from sottovoce.core.threads import ThreadGroup
from sottovoce.metrics.stages import Span, TurnTimes

#: Stages as they are named for the reader, in the order of the critical path.
STAGE_NAMES: tuple[tuple[Span, str], ...] = (
    (Span.VAD_END, "noticed"),
    (Span.ASR, "recognised"),
    (Span.FIRST_THESIS, "thesis"),
    (Span.TTS_FIRST_AUDIO, "voice"),
    (Span.FIRST_SAMPLE, "sample"),
)

_NOT_SHOWN = (Began, Decided, StageReached)

_STYLES = {"speaking": "bold cyan", "waiting": "dim", "cut": "yellow", "failed": "red", "dropped": "dim"}
_GLYPHS = {"speaking": ("▶", ">"), "cut": ("✂", "/"), "failed": ("✗", "x"), "dropped": ("·", "-")}


def clock_time(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, whole = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours else f"{minutes}:{whole:02d}"


class Screen:
    """An observer that shows a session; drawing happens in a thread of its own, so a slow terminal delays nothing.

    Parameters
    ----------
    console : Console
        Where to draw. On a terminal the turn in progress is redrawn in place; elsewhere only what is settled is
        written, line by line.
    realtime : bool
        Whether the times of stages mean anything.
    quiet : bool
        Show nothing, only keep the picture.
    generator : str
        The generator that answers, until another one does.
    """

    def __init__(
        self,
        console: Console,
        *,
        realtime: bool,
        keep: bool = True,
        status: str = "listening",
        quiet: bool = False,
        generator: str = "notes",
    ) -> None:
        self.view = SessionView(keep=keep, generator=generator)
        self._console = console
        self._realtime = realtime
        self._status = status
        self._quiet = quiet
        self._utf8 = (console.encoding or "").lower().startswith("utf")
        self._queue: BoundedQueue[Notice] = BoundedQueue(4096)
        self._threads = ThreadGroup(lambda error: None)  # logged by the group; a broken screen must not end a session
        live = realtime and console.is_terminal and not quiet
        self._live = Live(console=console, auto_refresh=False, transient=True) if live else None

    def __call__(self, notice: Notice) -> None:
        if not isinstance(notice, _NOT_SHOWN):
            self._queue.put(notice)

    def __enter__(self) -> Screen:
        if self._live:
            self._live.start()
        self._threads.start("screen", self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.close()
        self._threads.join(2.0)
        if self._live:
            self._live.stop()

    def _run(self) -> None:
        self._redraw()
        while (notice := self._queue.get()) is not None:
            # all that lies ready before one picture: a slow terminal is not to fall behind
            while notice is not None:
                self._take(notice)
                notice = self._queue.get(timeout_s=0.0)
            self._redraw()

    def _take(self, notice: Notice) -> None:
        settled = self.view.apply(notice)
        if self._quiet:
            return
        news = _news(notice)
        if news is not None:
            self._console.print(news, soft_wrap=True)
        if isinstance(settled, TurnView):
            self._console.print(self._turn(settled))
        elif isinstance(settled, IgnoredUtterance):
            self._console.print(self._ignored(settled))

    def _redraw(self) -> None:
        if self._live:
            self._live.update(self._present(), refresh=True)

    def _present(self) -> RenderableType:
        dot = "●" if self._utf8 else "*"
        doing = "muted" if self.view.muted else "hearing somebody" if self.view.speaking else self._status
        style = "bold red" if self.view.speaking else "red"
        status = Text.assemble((f"{dot} ", style), doing, (f"  {clock_time(self.view.heard_s)}", "dim"))
        if self.view.paused:
            status.append("  paused", "bold yellow")
        if self.view.gain_db:
            status.append(f"  {self.view.gain_db:+.0f} dB", "dim")
        spent = shown_cost(self.view.cost)
        status.append(f"  {spent}" if spent else "", "dim")
        turns = [self._turn(turn) for turn in self.view.open_turns]
        return Group(*turns, *self._provisional(), status)

    def _provisional(self) -> list[RenderableType]:
        """What is being asked, and what would be answered: to be read, in grey, before anything is heard."""
        view, provisional = self.view, self.view.provisional
        if not view.so_far:
            return []
        dots = "…" if self._utf8 else "..."
        rows: list[RenderableType] = [Text(f"{clock_time(view.so_far_at_s):>5} {view.so_far}{dots}", style="dim")]
        for thesis in provisional.theses if provisional is not None else ():
            rows.append(Text(f"      {thesis.number} {thesis.text}", style="dim italic"))
        return rows

    def _turn(self, turn: TurnView) -> RenderableType:
        rows: list[RenderableType] = [self._question(turn.question, style="bold")]
        rows += [self._thesis(thesis) for thesis in turn.theses]
        if turn.outcome == "no answer":
            rows.append(Text(f"      {_silence(turn.generator)}", style="dim"))
        elif turn.outcome == "failed":
            rows.append(Text(f"      no answer: {turn.detail}", style="red"))
        elif turn.outcome == "stopped":
            rows.append(Text("      stopped", style="yellow"))
        elif turn.outcome in ("interrupted", "superseded"):
            rows.append(Text(f"      {turn.outcome} by the next question", style="yellow"))
        if turn.times is not None and self._realtime and turn.times.total_ms is not None:
            rows.append(self._times(turn.times, turn.times.total_ms))
        return Group(*rows)

    def _question(self, utterance: Utterance, style: str) -> Text:
        who = "played: " if utterance.ear == "loopback" else ""
        return Text.assemble((f"{clock_time(utterance.start_s):>5} {who}", "dim"), (utterance.text, style))

    def _ignored(self, ignored: IgnoredUtterance) -> Text:
        line = self._question(ignored.utterance, style="dim")
        return line.append(f"{' ' if ignored.utterance.text else ''}({ignored.reason})", style="dim italic")

    def _thesis(self, view: ThesisView) -> Text:
        glyph = _GLYPHS.get(view.state, (" ", " "))[0 if self._utf8 else 1]
        style = _STYLES.get(view.state, "")
        line = Text.assemble((f"    {glyph} {view.thesis.number} ", style or "cyan"), (view.thesis.text, style))
        return line.append(f" ({view.note})", style="red") if view.note else line

    def _times(self, times: TurnTimes, total_ms: float) -> Text:
        spans = times.critical_path_ms()
        between = " · " if self._utf8 else " + "
        parts = between.join(f"{name} {spans[span]:.0f}" for span, name in STAGE_NAMES if spans.get(span, 0.0) >= 0.5)
        return Text.assemble("      ", (f"{total_ms:.0f} ms", "green"), (f" to the first sound: {parts}", "dim"))


def _silence(generator: str) -> str:
    """That there is no answer, in the words of who has none."""
    return "nothing in the notes about this" if generator == "notes" else f"{generator} has nothing to say about this"


def _news(notice: Notice) -> Text | None:
    """What is told apart from questions and answers; None for all that is not."""
    match notice:
        case BackendFailed(backend, message):
            return Text(f"{backend}: {message}", style="red")
        case BackendChanged(_, backend):
            return Text(f"{backend} answers from now on", style="yellow")
        case BudgetReached(scope, limit, stops=True):
            said = f"the budget of this {scope}, {limit}, is spent: no service is called any more"
            return Text(said, style="bold red")
        case BudgetReached(scope, limit):
            return Text(f"this {scope} has cost {limit}, of which you wanted to be told", style="yellow")
        case PriceUnknown(provider, model):
            said = f"the price of {model} ({provider}) is unknown: the budget does not count it"
            return Text(said, style="yellow")
        case _:
            return None


def summary_table(turns: Sequence[TurnView]) -> Table:
    """One line a question with the milliseconds of each stage, and their medians."""
    title = "From the end of the question to the first sound, in ms"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("question", overflow="fold")
    table.add_column("theses", justify="right")
    for _, name in STAGE_NAMES:
        table.add_column(name, justify="right")
    table.add_column("total", justify="right", style="green")
    spans = [span for span, _ in STAGE_NAMES] + [Span.TOTAL]

    def cells(value: Callable[[Span], float | None]) -> list[str]:
        return ["" if (ms := value(span)) is None else f"{ms:.0f}" for span in spans]

    delays = [_delays_ms(turn.times) for turn in turns if turn.times is not None]
    for turn in turns:
        spoken = sum(view.state == "spoken" for view in turn.theses)
        known = _delays_ms(turn.times).get if turn.times is not None else None
        table.add_row(turn.question.text, f"{spoken}/{len(turn.theses)}", *(cells(known) if known else ()))
    if len(delays) > 1:
        lengths = {span: [delay[span] for delay in delays if span in delay] for span in spans}
        table.add_section()
        table.add_row("median", "", *cells(lambda span: median(lengths[span]) if lengths[span] else None))
    return table


def _delays_ms(times: TurnTimes) -> dict[Span, float]:
    """What each stage put the first sound off by, and the sum; nothing of a turn that was not heard."""
    total_ms = times.total_ms
    return {} if total_ms is None else {**times.critical_path_ms(), Span.TOTAL: total_ms}
