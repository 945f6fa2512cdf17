"""``sottovoce models``: the models that answer."""

from __future__ import annotations

import click

from sottovoce.app.models_bench_command import command as bench


@click.group("models")
def command() -> None:
    """Models that answer: how fast they are."""


command.add_command(bench)
