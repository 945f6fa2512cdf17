"""``sottovoce config``: show, explain, and begin a file of settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sottovoce.app.context import AppContext
from sottovoce.core.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

#: Text is easier to read in shorter lines than some terminals have.
_MOST_COLUMNS = 100


@click.group("config")
def command() -> None:
    """Show, explain, and write settings.

    Settings come from four places, each stronger than the one before: defaults, the file, environment variables
    (SOTTOVOCE_SECTION_KEY), and the command line (--set section.key=value).
    """


@command.command("show")
@click.option("--explain", is_flag=True, help="Document every setting instead.")
@click.option("--toml", "as_toml", is_flag=True, help="Print a file that sets all of them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(app: AppContext, explain: bool, as_toml: bool, as_json: bool) -> None:
    """Show every setting, its value, and where that came from."""
    if explain + as_toml + as_json > 1 and not (explain and as_json):
        raise click.UsageError("--explain, --toml and --json exclude one another, but for --explain --json")
    if explain:
        _explain(app, as_json=as_json)
    elif as_toml:
        from sottovoce.app.toml_text import config_file

        click.echo(config_file(app.config), nl=False)
    elif as_json:
        _show_json(app)
    else:
        app.console.print(_table(app))
        app.console.print()
        _show_path(app)


@command.command("path")
@click.pass_obj
def path(app: AppContext) -> None:
    """Print the path of the file of settings.

    Whether the file exists or not: it is what `config init` would write.
    """
    click.echo(_path(app))


@command.command("init")
@click.pass_obj
def init(app: AppContext) -> None:
    """Write a file that explains every setting.

    It changes none: each stands in it with its default, behind a #. A file that exists is never overwritten.
    """
    from sottovoce.app.config import shown_path
    from sottovoce.app.toml_text import commented_file

    file = _path(app)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(commented_file())
    except FileExistsError as error:
        raise ConfigError(
            f"{shown_path(file)} exists and is left as it is",
            hint="edit it, or name another file: sottovoce --config FILE config init",
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{shown_path(file)} cannot be written: {error.strerror}",
            hint="name a file in a folder that you may write to: sottovoce --config FILE config init",
        ) from error
    app.console.print(f"wrote {shown_path(file)}", markup=False, soft_wrap=True)


def _path(app: AppContext) -> Path:
    from sottovoce.app.config import config_path

    return config_path(app.config_file, os.environ)


def _show_path(app: AppContext) -> None:
    from sottovoce.app.config import shown_path

    file = app.loaded.path
    state = "" if file.exists() else " (not there; `sottovoce config init` writes one)"
    app.console.print(f"file: {shown_path(file)}{state}", style="dim", markup=False, soft_wrap=True)


def _table(app: AppContext) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from sottovoce.app.config import shown_path
    from sottovoce.app.reference import settings
    from sottovoce.app.toml_text import toml_value

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    section = ""
    for key, setting in settings().items():
        if section and setting.section != section:
            table.add_section()
        section = setting.section
        origin = app.loaded.provenance[key]
        style = "dim" if origin.layer == "default" else "bold"
        value = app.config.get(key)
        shown = toml_value(shown_path(value) if isinstance(value, Path) else value)
        table.add_row(key, Text(shown, style), Text(str(origin), style))
    return table


def _show_json(app: AppContext) -> None:
    from sottovoce.app.reference import settings

    rows = {
        key: {"value": app.config.get(key), "from": origin.layer, "where": origin.name, "line": origin.line}
        for key, origin in ((key, app.loaded.provenance[key]) for key in settings())
    }
    app.print_json({"file": app.loaded.path, "settings": rows})


def _explain(app: AppContext, *, as_json: bool) -> None:
    import textwrap

    from rich.text import Text

    from sottovoce.app.reference import settings
    from sottovoce.app.settings import SECTIONS
    from sottovoce.app.toml_text import toml_value

    if as_json:
        app.print_json(
            {
                key: {
                    "default": setting.default,
                    "allowed": setting.allowed,
                    "environment": setting.env_names,
                    "description": setting.description,
                }
                for key, setting in settings().items()
            }
        )
        return
    width = min(app.console.width, _MOST_COLUMNS) - 4
    section = ""
    for key, setting in settings().items():
        if setting.section != section:
            section = setting.section
            app.console.print(Text.assemble("\n", (f"[{section}]", "bold cyan"), f"  {SECTIONS[section].__doc__}"))
        app.console.print(Text.assemble((key, "bold"), f" = {toml_value(setting.default)}"), soft_wrap=True)
        allowed, variables = f"allowed: {setting.allowed}", f"variable: {', '.join(setting.env_names)}"
        for paragraph, style in ((setting.description, ""), (allowed, "dim"), (variables, "dim")):
            for line in textwrap.wrap(paragraph, width, break_long_words=False, break_on_hyphens=False):
                app.console.print(f"    {line}", style=style, markup=False, soft_wrap=True)
