"""The command line: its commands, each loaded when it is called, and what becomes of errors."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from sottovoce import __version__
from sottovoce.app.context import AppContext, shared_options
from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.failure import report
from sottovoce.app.logs import install_thread_hook
from sottovoce.app.terminal import prepare_streams, silence_stdout

#: Name, where it is, and one line for the help: `sottovoce --help` loads none of them.
COMMANDS = {
    "demo": ("sottovoce.app.demo:command", "Ask questions aloud and hear them answered; needs nothing but this."),
    "answer": ("sottovoce.app.answer:command", "Answer the questions in recordings."),
    "live": ("sottovoce.app.live:command", "Listen to the microphone, speak into the earpiece."),
    "monitor": ("sottovoce.app.monitor.command:command", "Watch the audio engine: levels, buffers, delays, losses."),
    "notes": ("sottovoce.app.notes_commands:command", "Search your notes, or check them."),
    "sessions": ("sottovoce.app.sessions_commands:command", "List, search, show, export or delete sessions."),
    "report": ("sottovoce.app.report.command:command", "Write a session as one page, to read or to give away."),
    "costs": ("sottovoce.app.costs_command:command", "Show what services have cost, and the prices."),
    "replay": ("sottovoce.app.replay:command", "Let a session's decisions be made again, and compare."),
    "eval": ("sottovoce.app.evaluate.command:command", "Measure how well recordings of your own are heard."),
    "models": ("sottovoce.app.models_commands:command", "List, fetch, remove or measure models."),
    "devices": ("sottovoce.app.devices:command", "List the audio devices."),
    "metrics": (
        "sottovoce.app.metrics_command:command",
        "What Prometheus and Grafana need: alerts, a dashboard.",
    ),
    "doctor": ("sottovoce.app.doctor_command:command", "Check what works here, and how to mend the rest."),
    "enroll": ("sottovoce.app.enroll:command", "Teach it your voice, so that it never answers you."),
    "config": ("sottovoce.app.config_commands:command", "Show and explain the settings."),
}


class _ReaderGone(Exception):
    """Whoever read stdout has gone."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # click would exit here, with a code of its own
            raise _ReaderGone from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return accept_shared_options(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            more = f"did you mean {near[0]}?" if near else f"there are: {', '.join(COMMANDS)}"
            raise click.UsageError(f"there is no command {args[0]!r}; {more}", ctx)
        return super().resolve_command(ctx, args)


def accept_shared_options(command: click.Command) -> click.Command:
    """Let ``command``, and every command below it, take the shared options after its name too; hidden in its help."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            accept_shared_options(child)
    taken = {name for parameter in command.params for name in parameter.opts}
    for option in shared_options():
        if taken.isdisjoint(option.opts):
            option.hidden = True
            command.params.append(option)
    return command


def _epilog() -> str:
    codes = "\n".join(f"  {code.value:<4}{code.meaning}" for code in ExitCode)
    return f"\b\nExit codes:\n{codes}"


@click.group("sottovoce", cls=LazyGroup, params=shared_options(), epilog=_epilog())
@click.version_option(__version__, "--version", "-V", message="%(prog)s %(version)s")
@click.help_option("--help", "-h")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Hears a question, finds its key points, and speaks them quietly into your ear.

    The options below may stand before or after the name of a command. Settings come from a file, the environment and
    the command line, each stronger than the one before: see `sottovoce config show`.
    """
    ctx.ensure_object(AppContext)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; nothing escapes."""
    prepare_streams()
    install_thread_hook()
    app = AppContext()
    try:
        settings: dict[str, Any] = {"prog_name": "sottovoce", "obj": app, "standalone_mode": False}
        result = cli.main(args=None if arguments is None else list(arguments), **settings)
        sys.stdout.flush()
    except (BrokenPipeError, _ReaderGone):
        silence_stdout()
        return ExitCode.BROKEN_PIPE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last place: everything becomes a message
        return report(error, app)
    return result if isinstance(result, int) else ExitCode.OK
