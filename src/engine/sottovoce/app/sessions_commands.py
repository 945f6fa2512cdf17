"""``sottovoce sessions``: what has been kept of earlier sessions."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import click

from sottovoce.app.context import AppContext
from sottovoce.app.private_file import write_private
from sottovoce.core.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sottovoce.session.records import FoundSession, SessionRecord, SessionSummary, TurnRecord, UtteranceRecord
    from sottovoce.session.store import SessionStore

#: What people call the formats, and what :mod:`sottovoce.session.export` does.
_FORMATS = {"md": "markdown", "json": "json", "srt": "srt", "trace": "trace"}

#: What calls of services are made for.
_PARTS = {"asr": "recognition", "llm": "theses", "tts": "speech"}

#: A wider waterfall is no clearer.
_MOST_COLUMNS = 110
#: Longer questions are cut where they stand for their session.
_MOST_TITLE = 80

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group("sessions")
def command() -> None:
    """List, search, show, export or delete what was kept of earlier sessions.

    What is kept is set by session.store, session.transcripts and session.store_audio.
    """


@command.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Most sessions shown.")
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Only sessions before this one: the next page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_sessions(app: AppContext, limit: int, before: int | None, as_json: bool) -> None:
    """List sessions, the newest first."""
    path = app.config.session.path
    sessions: Sequence[SessionSummary] = ()
    if path.exists():  # asking must not make a database
        with open_store(app) as store:
            sessions = store.sessions(limit, before=before)
    if as_json:
        app.print_json([_as_json(summary) for summary in sessions])
    elif sessions:
        _show_list(app, sessions)
    else:
        app.console.print(f"no sessions are kept in {path}", markup=False, soft_wrap=True)


@command.command("search")
@click.argument("words", metavar="WORDS...", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="Most sessions shown.")
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Only sessions before this one: the next page.")
@click.option("--since", type=_DAY, metavar="DAY", help="Only sessions from this day on, as 2026-11-21.")
@click.option("--until", type=_DAY, metavar="DAY", help="Only sessions up to the end of this day.")
@click.option("--best", is_flag=True, help="Those first that fit best, not the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def search(
    app: AppContext,
    words: tuple[str, ...],
    limit: int,
    before: int | None,
    since: datetime | None,
    until: datetime | None,
    best: bool,
    as_json: bool,
) -> None:
    """Find sessions by what was said and answered in them, the newest first.

    All WORDS have to occur in one utterance or thesis, whatever their endings, in English and Russian; what stands in
    "quotes" has to occur as it stands there.
    """
    path = app.config.session.path
    found: Sequence[FoundSession] = ()
    if path.exists():
        with open_store(app) as store:
            last = None if until is None else datetime.combine(until, time.max)
            query = " ".join(words)
            found = store.search(query, limit, before=before, since=since, until=last, best_first=best)
    if as_json:
        app.print_json([_found_json(session) for session in found])
    elif found:
        for session in found:
            _show_found(app, session)
    else:
        app.console.print(f"nothing of the kind is kept in {path}", markup=False, soft_wrap=True)


@command.command("show")
@click.argument("session", metavar="ID|last")
@click.option("--timeline", is_flag=True, help="Draw the stages of each turn as a waterfall.")
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the waterfalls as a picture."
)
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.pass_obj
def show(app: AppContext, session: str, timeline: bool, svg: Path | None, force: bool) -> None:
    """Show what was heard and answered, and how long each stage took.

    A waterfall begins at the true end of the question. What lies before the green line put off the first sound, unless
    something beside it took longer.
    """
    with open_store(app) as store:
        record = store.session(session_of(store, session))
    if svg is not None:
        _write_waterfalls(app, record, svg, overwrite=force)
    else:
        _show_session(app, record, timeline=timeline)


@command.command("export")
@click.argument("session", metavar="ID|last")
@click.option("--format", "kind", type=click.Choice(list(_FORMATS)), help="Default: by the name of FILE, else md.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write here, not to stdout."
)
@click.option("--redact", is_flag=True, help="Leave all words out, and names of notes, files and devices.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.pass_obj
def export(app: AppContext, session: str, kind: str | None, out: Path | None, force: bool, redact: bool) -> None:
    """Write a session as Markdown, JSON or subtitles, or what was decided in it, without words, for `sottovoce replay`.

    The file is readable by you alone.
    """
    from sottovoce.session.export import FORMATS
    from sottovoce.session.redaction import redacted

    if kind is None:
        suffix = out.suffix.lower().removeprefix(".") if out is not None else ""
        kind = suffix if suffix in _FORMATS else "md"
    with open_store(app) as store:
        record = store.session(session_of(store, session))
    text = FORMATS[_FORMATS[kind]](redacted(record) if redact else record)
    if not text:
        raise ConfigError(
            f"nothing to write as {kind} is kept of session {record.summary.id}",
            key="--format",
            hint="say --format json",
        )
    if out is None and kind == "json":
        app.print_json(json.loads(text))  # which knows what the terminal can show
    elif out is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        write_private(out, text, overwrite=force)
        app.err.print(f"wrote {out}", markup=False, soft_wrap=True)


@command.command("delete")
@click.argument("session_ids", metavar="ID...", type=click.IntRange(1), nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(app: AppContext, session_ids: tuple[int, ...], yes: bool) -> None:
    """Delete sessions for good: nothing of them is left in the database, and their sound is deleted too."""
    wanted = list(dict.fromkeys(session_ids))
    with open_store(app) as store:
        for session_id in wanted:
            store.summary(session_id)  # all or nothing: an unknown one ends it here
        if not yes:
            _confirm(wanted)
        for session_id in wanted:
            store.delete(session_id)
            app.console.print(f"deleted session {session_id}")


@contextmanager
def open_store(app: AppContext) -> Iterator[SessionStore]:
    """The store of earlier sessions; StoreError if there is none."""
    from sottovoce.session.store import SessionStore

    path = app.config.session.path
    if not path.exists():
        raise StoreError(f"there is no session store at {path}", path=path, hint="a first session makes it")
    with SessionStore(path, transcripts=app.config.session.transcripts) as store:
        yield store


def session_of(store: SessionStore, name: str) -> int:
    """The id of a session by what a person calls it: its number, or "last"."""
    if name.isascii() and name.isdecimal() and int(name) > 0:
        return int(name)
    if name != "last":
        raise click.UsageError(f"{name!r} is no session: give its number, or last; `sottovoce sessions list` has them")
    newest = store.sessions(limit=1)
    if not newest:
        raise StoreError(f"no session is kept in {store.path}", path=store.path, hint="a first session makes one")
    return newest[0].id


def _confirm(session_ids: Sequence[int]) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; say --yes")
    named = ", ".join(map(str, session_ids))
    click.confirm(f"Delete session{'s' if len(session_ids) > 1 else ''} {named} for good?", abort=True)


def _show_list(app: AppContext, sessions: Sequence[SessionSummary]) -> None:
    from rich import box
    from rich.table import Table

    from sottovoce.app.money import shown_cost

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("id", justify="right")
    table.add_column("started", no_wrap=True)
    table.add_column("kind")
    for name in ("length", "heard", "answered", "theses"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    table.add_column("ended")
    for item in sessions:
        counts = (str(item.utterances), str(item.turns), str(item.theses))
        last = (shown_cost(item.cost), item.outcome or "no end noted")
        table.add_row(str(item.id), _local(item.started), item.kind, _length(item.length_s), *counts, *last)
    app.console.print(table)


def _show_found(app: AppContext, found: FoundSession) -> None:
    from rich.padding import Padding
    from rich.text import Text

    summary = found.summary
    more = f", {found.count} places" if found.count > len(found.hits) else ""
    head = Text.assemble((f"{summary.id:>4}  {_local(summary.started)}", "bold"), (f"  {summary.kind}{more}", "dim"))
    title = shorten(summary.title, _MOST_TITLE, placeholder="…")
    app.console.print(head.append(f"  {title}"), soft_wrap=True)
    for hit in found.hits:
        line = Text(f"{_clock(hit.at_s)}  {'thesis: ' if hit.kind == 'thesis' else ''}", "dim")
        for piece, is_match in hit.parts:
            line.append(piece.replace("\n", " "), "bold yellow" if is_match else "")
        app.console.print(Padding(line, (0, 0, 0, 6), expand=False))


def _found_json(found: FoundSession) -> dict[str, object]:
    hits = [
        {
            "kind": hit.kind.value,
            "turn": hit.turn,
            "number": hit.number,
            "at_s": hit.at_s,
            "text": hit.text,
            "matches": [piece for piece, is_match in hit.parts if is_match],
        }
        for hit in found.hits
    ]
    return {**_as_json(found.summary), "hits": hits, "count": found.count}


def _write_waterfalls(app: AppContext, record: SessionRecord, file: Path, *, overwrite: bool) -> None:
    from sottovoce.app.timeline import svg, waterfall

    pictures = [picture for turn in record.turns if (picture := waterfall(turn)) is not None]
    summary = record.summary
    if not pictures:
        raise ConfigError(
            f"session {summary.id} has no turn whose times are known",
            key="--svg",
            hint="`sottovoce sessions list` shows which ones have answers",
        )
    write_private(file, svg(pictures, f"session {summary.id}, {_local(summary.started)}"), overwrite=overwrite)
    app.err.print(f"wrote {file}", markup=False, soft_wrap=True)


def _show_session(app: AppContext, record: SessionRecord, *, timeline: bool) -> None:
    from rich.text import Text

    summary = record.summary
    title = f"session {summary.id}, {summary.kind}, {_local(summary.started)}"
    app.console.print(
        Text.assemble((title, "bold"), f", {_length(summary.length_s)}, {summary.outcome or 'no end noted'}")
    )
    if summary.notes:
        app.console.print(f"notes: {summary.notes}", style="dim", markup=False, soft_wrap=True)
    _show_cost(app, record)
    answers: dict[int | None, list[TurnRecord]] = {}
    heard = {utterance.number for utterance in record.utterances}
    for turn in record.turns:
        answers.setdefault(turn.utterance if turn.utterance in heard else None, []).append(turn)
    for utterance in record.utterances:
        app.console.print()
        app.console.print(_said(utterance))
        for turn in answers.get(utterance.number, ()):
            _show_turn(app, turn, timeline=timeline)
    for turn in answers.get(None, ()):
        app.console.print(Text("\na question that was not stored", "dim"))
        _show_turn(app, turn, timeline=timeline)
    if record.speculations:
        taken = sum(speculated.taken for speculated in record.speculations)
        vain = len(record.speculations) - taken
        app.console.print(f"\nanswers begun before the question was over: {taken} taken, {vain} in vain", style="dim")
    for event in record.events:
        detail = ", ".join(f"{key} {value}" for key, value in event.detail.items())
        app.console.print(Text(f"{_clock(event.at_s)}  {event.kind}: {detail}", "yellow"))


def _show_cost(app: AppContext, record: SessionRecord) -> None:
    from sottovoce.app.money import shown_cost, shown_waste
    from sottovoce.session.spending import cost_of

    cost = record.summary.cost
    if not cost.calls:
        return
    parts = []
    for part, name in _PARTS.items():
        of_part = cost_of(call for call in record.spending if call.part == part)
        if of_part.calls:
            parts.append(f"{name} {shown_cost(of_part)}")
    said = [f"cost: {shown_cost(cost)} ({', '.join(parts)})", *filter(None, [shown_waste(cost)])]
    app.console.print("; ".join(said), style="dim", markup=False, soft_wrap=True)


def _said(utterance: UtteranceRecord) -> object:
    from rich.text import Text

    line = Text.assemble((f"{_clock(utterance.start_s)}  {utterance.speaker}: ", "dim"), str(utterance.words))
    if utterance.ignored:
        line.append(f"  (not answered: {utterance.ignored})", "dim")
    return line


def _show_turn(app: AppContext, turn: TurnRecord, *, timeline: bool) -> None:
    from rich.padding import Padding
    from rich.text import Text

    for thesis in turn.theses:
        line = Text.assemble((f"{thesis.number}. ", "cyan"), str(thesis.words))
        if thesis.status != "heard":
            line.append(f"  [{thesis.status}]", "yellow")
        if thesis.source.text:
            line.append(f"  {thesis.source}", "dim")
        app.console.print(Padding(line, (0, 0, 0, 7), expand=False))
    if not turn.theses:
        app.console.print(f"       {turn.outcome or 'no end noted'}", style="yellow")
    if turn.stages and timeline:
        from sottovoce.app.timeline import draw, waterfall

        picture = waterfall(turn)
        columns = min(app.console.width, _MOST_COLUMNS) - 7
        utf8 = (app.console.encoding or "").lower().startswith("utf")
        for row in draw(picture, columns, utf8=utf8) if picture is not None else ():
            app.console.print(Padding(row, (0, 0, 0, 7), expand=False))
    elif turn.stages or turn.cost.calls:
        from sottovoce.app.money import shown_cost

        times = [f"{stage.name} {stage.ms:.0f} ms" for stage in turn.stages]
        facts = "  ".join([*times, *filter(None, [shown_cost(turn.cost)])])
        app.console.print(Padding(Text(facts, "dim"), (0, 0, 0, 7), expand=False))


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _length(length_s: float | None) -> str:
    return "-" if length_s is None else _clock(length_s)


def _clock(at_s: float) -> str:
    minutes, seconds = divmod(int(max(0.0, at_s)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def _as_json(summary: SessionSummary) -> dict[str, object]:
    from sottovoce.app.money import cost_json

    return {
        "id": summary.id,
        "kind": summary.kind,
        "started": summary.started.isoformat(),
        "ended": None if summary.ended is None else summary.ended.isoformat(),
        "length_s": summary.length_s,
        "outcome": summary.outcome,
        "title": summary.title,
        "notes": summary.notes,
        "utterances": summary.utterances,
        "turns": summary.turns,
        "theses": summary.theses,
        "cost": cost_json(summary.cost),
    }
