"""``sottovoce models``: what lies on this machine, how it comes and goes, and how fast what answers is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sottovoce.app.context import AppContext
from sottovoce.app.models_bench_command import command as bench

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sottovoce.speech.local.model import LocalModel


@click.group("models")
def command() -> None:
    """Models on this machine: list them, fetch them, remove them. Models that answer: how fast they are.

    Nothing but these commands, and a session whose settings want a model that is not here, fetches anything;
    models.offline forbids that too.
    """


command.add_command(bench)


@command.command("list")
@click.option("--all", "show_all", is_flag=True, help="Show those that are neither here nor wanted, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all of them.")
@click.pass_obj
def list_models(app: AppContext, show_all: bool, as_json: bool) -> None:
    """List the models that lie here and those that the settings want: how big, whether whole, and where."""
    from sottovoce.app.models import every, wanted
    from sottovoce.speech.local.model import State

    used = {model.name for model in wanted(app.config)}
    models = every(app.config)
    if as_json:
        app.print_json([_as_json(model, model.name in used) for model in models])
        return
    shown = [model for model in models if show_all or model.name in used or model.held.state is not State.ABSENT]
    if shown:
        _show(app, shown, used)
    else:
        app.console.print("no models are here, and the settings want none; --all shows what there is")


@command.command("get")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.pass_obj
def get(app: AppContext, names: tuple[str, ...]) -> None:
    """Fetch models, going on from what is here, and check them; without a name, those that the settings want."""
    from sottovoce.app.models import every, fetch, in_words, wanted
    from sottovoce.speech.local.catalogue import find

    config = app.config
    models = [find(name, every(config)) for name in dict.fromkeys(names)] if names else wanted(config)
    if not models:
        app.console.print("the settings want no model; name one: `sottovoce models list --all`", markup=False)
    for model in models:
        path = fetch(app, model, offline=config.models.offline)
        size = in_words(model.held, model.about_bytes)
        app.console.print(f"{model.name}: {size} in {path}", markup=False, soft_wrap=True)


@command.command("remove")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(app: AppContext, names: tuple[str, ...], yes: bool) -> None:
    """Delete models from this machine, and what has come of them so far; other programs may use them too."""
    from sottovoce.app.models import every
    from sottovoce.speech.local.catalogue import find
    from sottovoce.speech.local.model import State, megabytes

    models = [find(name, every(app.config)) for name in dict.fromkeys(names)]
    here = [model for model in models if model.held.state is not State.ABSENT]
    if here and not yes:
        _confirm(here)
    for model in models:
        if model in here:
            app.console.print(f"removed {model.name}: {megabytes(model.remove())} are free", markup=False)
        else:
            app.console.print(f"{model.name} is not here", markup=False)


def _confirm(models: Sequence[LocalModel]) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; say --yes")
    click.confirm(f"Remove {', '.join(model.name for model in models)}?", abort=True)


def _show(app: AppContext, models: Sequence[LocalModel], used: set[str]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from sottovoce.app.models import in_words
    from sottovoce.speech.local.model import State

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("model", no_wrap=True)
    table.add_column("for", overflow="fold")
    table.add_column("size", no_wrap=True)
    table.add_column("where", overflow="fold")
    for model in models:
        held = model.held
        name = Text.assemble(model.name, (" *", "bold") if model.name in used else "")
        style = {State.WHOLE: "green", State.PARTIAL: "yellow", State.ABSENT: "dim"}[held.state]
        size = Text(in_words(held, model.about_bytes), style)
        where = Text("" if held.state is State.ABSENT else str(held.path), "dim")
        table.add_row(name, model.what, size, where)
    app.console.print(table)
    if used:
        app.console.print("\n* the settings want it", style="dim")


def _as_json(model: LocalModel, used: bool) -> dict[str, object]:
    held = model.held
    return {
        "name": model.name,
        "what": model.what,
        "licence": model.licence,
        "state": held.state.value,
        "size_bytes": held.size_bytes,
        "about_bytes": model.about_bytes,
        "path": str(held.path),
        "used": used,
    }
