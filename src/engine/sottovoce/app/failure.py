"""What a person sees of an error: one line, a hint, and an exit code; never a traceback that was not asked for."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import click

from sottovoce.app.exit_codes import ExitCode, exit_code_of
from sottovoce.app.logs import frames_only, log_crash
from sottovoce.core.errors import SottovoceError
from sottovoce.core.secrets import redacted

if TYPE_CHECKING:
    from sottovoce.app.context import AppContext

INSTALL = "pip install 'sottovoce[offline]'"

ISSUES = "https://github.com/sottovoce/sottovoce/issues"


def report(error: BaseException, app: AppContext) -> ExitCode:
    """Show ``error`` on stderr and return the exit code it stands for."""
    match error:
        case click.Abort() | KeyboardInterrupt():
            _show(app, "interrupted")
            return ExitCode.INTERRUPTED
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.format_message(), err=True)
            return ExitCode.USAGE
        case click.UsageError():
            command = error.ctx.command_path if error.ctx is not None else "sottovoce"
            _show(app, error.format_message().rstrip("."), f"{command} --help")
            return ExitCode.USAGE
        case click.ClickException():
            _show(app, error.format_message())
            return ExitCode.USAGE
        case SottovoceError():
            show_error(error, app)
        case ModuleNotFoundError() if error.name and not error.name.startswith("sottovoce"):
            _show(app, f"the Python package of {error.name!r} is not installed", INSTALL)
        case _:
            _show_unexpected(error, app)
            return ExitCode.INTERNAL
    if app.verbose:
        _show_frames("".join(traceback.format_exception(error)), app)
    return exit_code_of(error)


def show_error(error: SottovoceError, app: AppContext) -> None:
    """Show an error that does not end the command."""
    _show(app, error.message, error.hint)


def _show_unexpected(error: BaseException, app: AppContext) -> None:
    # Neither the message nor the values are shown: they may hold what was said.
    app.ensure_log()
    log_crash(error, "main", file_only=True)
    hint = f"run it again with -v, and report what it says at {ISSUES}"
    _show(app, f"internal error: {type(error).__name__}", f"report it at {ISSUES}" if app.verbose else hint)
    if app.verbose:  # to be reported: neither here
        _show_frames(f"Traceback (most recent call last):\n{frames_only(error)}", app)


def _show_frames(frames: str, app: AppContext) -> None:
    app.err.print(redacted(frames), style="dim", markup=False, soft_wrap=True)


def _show(app: AppContext, message: str, hint: str = "") -> None:
    app.err.print("[bold red]error:[/]", end=" ")
    app.err.print(redacted(message), markup=False, soft_wrap=True)
    if hint:
        app.err.print("[bold cyan]hint:[/]", end=" ")
        app.err.print(redacted(hint), markup=False, soft_wrap=True)
