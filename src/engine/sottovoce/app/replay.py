"""`sottovoce replay`: let the turn state machine decide again on what a session has told it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from sottovoce.app.context import AppContext
from sottovoce.app.exit_codes import ExitCode
from sottovoce.core.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sottovoce.assistant.trace import Made, Replayed, Step
    from sottovoce.session.records import SessionRecord

#: The format of a trace that this version reads; see :func:`sottovoce.session.export.to_trace`.
FORMAT = 1


@click.command("replay")
@click.argument("session", metavar="ID|FILE")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(app: AppContext, session: str, as_json: bool) -> int:
    """Show what was decided in a session, step by step, and whether this version decides the same.

    What is kept of a session for this holds none of its words. A FILE is one that `sottovoce sessions export ID
    --format trace` has written: a session that went wrong becomes a test by copying it. Ends with 10 if anything
    differs.
    """
    from sottovoce.assistant.trace import replay

    made, times, steps = _read(app, session)
    try:
        replayed = replay(made, steps)
    except ValueError as error:
        raise ConfigError(str(error), key=session, hint="name a session, or a file of a trace") from error
    if as_json:
        app.print_json([_as_json(at_s, one) for at_s, one in zip(times, replayed, strict=True)])
    else:
        _show(app, times, replayed)
    return ExitCode.OK if all(one.same for one in replayed) else ExitCode.DIFFERS


def parse(lines: Iterable[str]) -> tuple[Made, list[float], list[Step]]:
    """A trace from its lines: what the machine was made with, when each step was (s), and the steps.

    Raises
    ------
    ValueError
        If a line is not one of a trace, with its number.
    """
    from sottovoce.assistant.trace import Step

    made: Made | None = None
    times, steps = [], []
    for number, line in enumerate(lines, 1):
        try:
            body = json.loads(line)
            if made is None:
                made = _made(body)
            else:
                steps.append(Step(body["event"], tuple(body["decided"])))
                times.append(float(body["at_s"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number} is not one of a trace: {error}") from error
    if made is None:
        raise ValueError("there is nothing in it")
    return made, times, steps


def _made(body: Mapping[str, Any]) -> Made:
    from sottovoce.assistant.trace import Made
    from sottovoce.assistant.turn import Speculate

    if body.get("format", FORMAT) != FORMAT:
        raise ValueError(f"format is {body['format']!r}, known: {FORMAT}")
    if body["speculate"] not in get_args(Speculate):
        raise ValueError(f"speculate is {body['speculate']!r}, known: {', '.join(get_args(Speculate))}")
    return Made(int(body["max_theses"]), body["speculate"], bool(body.get("answer_unsure", True)), body.get("rejoin_s"))


def _read(app: AppContext, session: str) -> tuple[Made, list[float], list[Step]]:
    if session.isdecimal():
        return _from_record(_stored(app, int(session)))
    file = Path(session)
    try:
        with file.open(encoding="utf-8") as lines:
            return parse(lines)
    except OSError as error:
        hint = "name a session by its number, as `sottovoce sessions list` shows it, or a file"
        raise ConfigError(f"{file} cannot be read: {error.strerror}", key="ID|FILE", hint=hint) from error
    except ValueError as error:
        hint = "`sottovoce sessions export ID --format trace` writes one"
        raise ConfigError(f"{file} is no trace of a session: {error}", key="ID|FILE", hint=hint) from error


def _stored(app: AppContext, session_id: int) -> SessionRecord:
    from sottovoce.app.sessions_commands import open_store

    with open_store(app) as store:
        record = store.session(session_id)
    if not record.steps:
        raise StoreError(
            f"nothing to replay is kept of session {session_id}", path=store.path, hint="an earlier version has kept it"
        )
    return record


def _from_record(record: SessionRecord) -> tuple[Made, list[float], list[Step]]:
    from sottovoce.assistant.trace import Step

    made, *steps = record.steps
    return _made(made.event), [step.at_s for step in steps], [Step(step.event, step.decided) for step in steps]


def _show(app: AppContext, times: Sequence[float], replayed: Sequence[Replayed]) -> None:
    from rich.text import Text

    differing = 0
    for at_s, one in zip(times, replayed, strict=True):
        facts = {name: value for name, value in one.step.event.items() if name != "event"}
        told = " ".join(f"{name}={str(value).lower()}" for name, value in facts.items())
        line = Text.assemble((f"{at_s:9.3f}  ", "dim"), (str(one.step.event["event"]), "bold"), f"  {told}")
        app.console.print(line, soft_wrap=True)
        for decided in one.step.decided:
            app.console.print(Text(f"           {decided}", "cyan" if one.same else "yellow"), soft_wrap=True)
        if not one.same:
            differing += 1
            now = "; ".join(one.now) or "nothing"
            app.console.print(Text(f"           now: {now}", "bold red"), soft_wrap=True)
    verdict = "all decided the same" if not differing else f"{differing} decided otherwise"
    app.console.print(Text(f"{len(replayed)} steps, {verdict}", "red" if differing else "green"))


def _as_json(at_s: float, one: Replayed) -> dict[str, object]:
    return {
        "at_s": at_s,
        "event": one.step.event,
        "decided": one.step.decided,
        "now": one.now,
        "same": one.same,
    }
