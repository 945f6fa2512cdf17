"""`sottovoce metrics`: what can be measured, and the files that Prometheus and Grafana need."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from sottovoce.app.context import AppContext
from sottovoce.core.errors import ConfigError

#: Files that come with the package, by the command that writes them.
RULES, DASHBOARD = "prometheus/rules.yml", "grafana/dashboard.json"

_out = click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it here.")


def shipped(name: str) -> str:
    """A file of this package."""
    return (resources.files("sottovoce.metrics") / name).read_text(encoding="utf-8")


@click.group("metrics")
def command() -> None:
    """Metrics of a live session, for Prometheus and Grafana.

    They are shown by `sottovoce live --metrics-port PORT`, to this machine alone, and hold no word of what was said.
    docs/metrics.md tells how to set it up.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_metrics(app: AppContext, as_json: bool) -> None:
    """List every metric."""
    from dataclasses import asdict

    from rich import box
    from rich.table import Table

    from sottovoce.metrics.catalogue import CATALOGUE

    if as_json:
        app.print_json([{"of": part, **asdict(one)} for part, metrics in CATALOGUE.items() for one in metrics])
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("metric", no_wrap=True)
    for name in ("kind", "labels", "what it says"):
        table.add_column(name)
    for metrics in CATALOGUE.values():
        for metric in metrics:
            table.add_row(metric.name, metric.kind.value, ", ".join(metric.labels), metric.help)
        table.add_section()
    app.console.print(table)


@command.command("rules")
@_out
@click.pass_obj
def rules(app: AppContext, out: Path | None) -> None:
    """Print the recording and alert rules of Prometheus."""
    _give(app, RULES, out)


@command.command("dashboard")
@_out
@click.pass_obj
def dashboard(app: AppContext, out: Path | None) -> None:
    """Print the dashboard of Grafana, to be imported there."""
    _give(app, DASHBOARD, out)


def _give(app: AppContext, name: str, out: Path | None) -> None:
    text = shipped(name)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written: {error.strerror}", key="--out", hint="name a file in a folder that is there"
        ) from error
    app.err.print(f"written: {out}", markup=False, soft_wrap=True)
