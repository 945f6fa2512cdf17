"""What every command shares: the settings, and where it writes."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sottovoce.app import terminal

if TYPE_CHECKING:
    from rich.console import Console

    from sottovoce.app.config import Loaded
    from sottovoce.app.settings import Config

_F = TypeVar("_F", bound=Callable[..., Any])

_VERBOSE_LEVELS = {1: "info", 2: "debug"}


class AppContext:
    """Given to every command by ``@click.pass_obj``; nothing is loaded before it is asked for.

    A command takes settings from its options with :func:`setting_option` and reads all of them from :attr:`config`::

        @click.command()
        @setting_option("--notes", "notes.path", metavar="DIR", help="Folder of notes.")
        @click.pass_obj
        def command(app: AppContext) -> None:
            folder = app.config.notes.path
            app.console.print("...")

    Results go to :attr:`console` (stdout), everything else to :attr:`err` (stderr). Errors are raised, never printed:
    the command line shows a SottovoceError with its hint and picks the exit code (``app/exit_codes.py``); a command
    that has to return a code of its own calls ``click.get_current_context().exit(code)``.

    Attributes
    ----------
    config_file : Path or None
        What ``--config`` says.
    no_color : bool
        Whether colours are unwanted; the variable NO_COLOR says it too.
    log_file : Path or None
        What ``--log-file`` says.
    """

    def __init__(self) -> None:
        self.config_file: Path | None = None
        self.no_color = False
        self.log_file: Path | None = None
        self._overrides: list[tuple[str, object, str]] = []
        self._log_started = False

    @cached_property
    def console(self) -> Console:
        """Where results go: stdout."""
        return terminal.make_console(no_color=self.no_color)

    @cached_property
    def err(self) -> Console:
        """Where everything else goes: stderr."""
        return terminal.make_console(stderr=True, no_color=self.no_color)

    @cached_property
    def loaded(self) -> Loaded:
        """The settings in effect and where each came from; reading them also starts the log.

        Raises
        ------
        ConfigProblems
            Everything that is wrong with them.
        """
        from sottovoce.app.config import Override, load

        loaded = load(self.config_file, os.environ, [Override(*given) for given in self._overrides])
        self.start_log(loaded.config.log.level)
        return loaded

    @property
    def config(self) -> Config:
        """The settings in effect."""
        return self.loaded.config

    @property
    def verbose(self) -> bool:
        """Whether the command line asks for messages of level info or below."""
        return self._level_wanted() in _VERBOSE_LEVELS.values()

    def _level_wanted(self) -> str:
        levels = [str(value) for key, value, option in self._overrides if key == "log.level" and option != "--set"]
        return levels[-1] if levels else ""

    def override(self, key: str, value: object, option: str) -> None:
        """Let ``option`` of the command line set ``key``; of two that set the same key the later counts."""
        self._overrides.append((key, value, option))

    def start_log(self, level: str) -> None:
        """Show messages from ``level`` on, and write them to :attr:`log_file` if one is wanted."""
        from sottovoce.app import logs

        self._log_started = True
        logs.configure(level, self.log_file)

    def ensure_log(self) -> None:
        """Start the log if the settings were never read, or are wrong."""
        if not self._log_started:
            self.start_log(self._level_wanted() or "warning")

    def print_json(self, value: object) -> None:
        """Write ``value`` to stdout as JSON, in ASCII if the terminal knows no better; dates and paths become text."""
        ascii_only = not terminal.is_utf8(sys.stdout)
        click.echo(json.dumps(value, indent=2, ensure_ascii=ascii_only, default=str))


def setting_option(*names: str, key: str, **attributes: Any) -> Callable[[_F], _F]:
    """A click option that sets the setting ``key``; its value arrives in ``app.config``, not as an argument.

    Parameters
    ----------
    *names : str
        The option's names, as for :func:`click.option`.
    key : str
        The dotted key, as ``notes.path``. The value is checked as that setting is.
    **attributes
        As for :func:`click.option`.
    """

    def take(context: click.Context, parameter: click.Parameter, value: object) -> None:
        if value is not None:
            context.ensure_object(AppContext).override(key, value, parameter.opts[0])

    return click.option(*names, callback=take, expose_value=False, **attributes)


def _take_sets(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> None:
    for text in values:
        key, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} is not of the form SECTION.KEY=VALUE", context, parameter)
        context.ensure_object(AppContext).override(key.strip(), value.strip(), parameter.opts[0])


def _take_verbose(context: click.Context, parameter: click.Parameter, count: int) -> None:
    if count:
        level = _VERBOSE_LEVELS[min(count, len(_VERBOSE_LEVELS))]
        context.ensure_object(AppContext).override("log.level", level, "-" + "v" * count)


def _take_offline(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(AppContext).override("models.offline", value, parameter.opts[0])


def _take_attribute(context: click.Context, parameter: click.Parameter, value: object) -> None:
    if value:
        setattr(context.ensure_object(AppContext), str(parameter.name), value)


def shared_options() -> list[click.Option]:
    """Options that every command takes, before its name or after."""
    levels = [logging.getLevelName(level).lower() for level in (10, 20, 30, 40)]
    file = click.Path(path_type=Path, dir_okay=False)
    own = {"expose_value": False}
    return [
        click.Option(
            ["--config", "config_file"],
            type=file,
            metavar="FILE",
            callback=_take_attribute,
            help="Settings from this file instead of the default one.",
            **own,
        ),
        click.Option(
            ["--set"],
            multiple=True,
            metavar="SECTION.KEY=VALUE",
            callback=_take_sets,
            help="Change one setting; may be repeated.",
            **own,
        ),
        click.Option(
            ["-v", "--verbose"], count=True, callback=_take_verbose, help="Say what is going on; -vv says more.", **own
        ),
        click.Option(
            ["--offline"],
            is_flag=True,
            callback=_take_offline,
            help="Fetch no model; HF_HUB_OFFLINE=1 does the same.",
            **own,
        ),
        click.Option(
            ["--log-level"],
            type=click.Choice(levels),
            callback=lambda context, parameter, value: _take_level(context, value),
            help="Least important message that is shown.",
            **own,
        ),
        click.Option(
            ["--log-file"],
            type=file,
            metavar="FILE",
            callback=_take_attribute,
            help="Write messages to this file too.",
            **own,
        ),
        click.Option(
            ["--no-color"], is_flag=True, callback=_take_attribute, help="No colours; NO_COLOR=1 does the same.", **own
        ),
    ]


def _take_level(context: click.Context, value: str | None) -> None:
    if value is not None:
        context.ensure_object(AppContext).override("log.level", value, "--log-level")
