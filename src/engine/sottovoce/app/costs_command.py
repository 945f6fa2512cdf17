"""``sottovoce costs``: what services have cost, and by which prices."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

import click

from sottovoce.app.context import AppContext

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sottovoce.session.spending import DaysCost

#: Prices older than this are said to be old.
OLD_DAYS = 180

_GROUPS = {"day": ("day",), "provider": ("provider",), "model": ("provider", "model"), "part": ("part",)}


@click.command("costs")
@click.option(
    "--by", type=click.Choice(list(_GROUPS)), default="day", show_default=True, help="What a line is made of."
)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="From this day on, as 2026-11-21.")
@click.option("--prices", is_flag=True, help="Show the prices instead, and where to write your own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(app: AppContext, by: str, since: datetime | None, prices: bool, as_json: bool) -> None:
    """Show what services have cost: by day, provider, model, or part (recognition, theses, speech).

    Counted from what the services say that they have used, and marked with ~ where they do not say it all. What a
    deleted session has cost stays in the sums. Prices are those of a table, not of your contract.
    """
    if prices:
        _show_prices(app, as_json=as_json)
        return
    days = _read(app, "" if since is None else since.date().isoformat())
    if as_json:
        app.print_json({"currency": "USD", "rows": [_row_json(row) for row in days], "total": _total_json(days)})
    elif days:
        _show(app, days, _GROUPS[by])
    else:
        app.console.print(f"no calls of services are noted in {app.config.session.path}", markup=False, soft_wrap=True)


def _read(app: AppContext, since: str) -> tuple[DaysCost, ...]:
    from sottovoce.session.store import SessionStore

    path = app.config.session.path
    if not path.exists():  # asking must not make a database
        return ()
    with SessionStore(path, transcripts=app.config.session.transcripts) as store:
        return store.costs(since)


def _show(app: AppContext, days: Sequence[DaysCost], group: tuple[str, ...]) -> None:
    from rich import box
    from rich.table import Table

    from sottovoce.app.money import shown, shown_cost
    from sottovoce.session.spending import Cost

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in group:
        table.add_column(name, no_wrap=True)
    for name in ("calls", "tokens in", "cached", "tokens out", "sound", "characters", "in vain", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    lines: dict[tuple[str, ...], list[DaysCost]] = {}
    for day in days:
        lines.setdefault(tuple(getattr(day, name) for name in group), []).append(day)
    total = Cost()
    for names, rows in lines.items():
        cost = sum((row.cost for row in rows), Cost())
        total += cost
        sound_s = sum(row.audio_s for row in rows)
        table.add_row(
            *names,
            str(cost.calls),
            _count(sum(row.input_tokens for row in rows)),
            _count(sum(row.cached_tokens for row in rows)),
            _count(sum(row.output_tokens for row in rows)),
            f"{sound_s / 60:.1f} min" if sound_s else "",
            _count(sum(row.characters for row in rows)),
            shown(cost.wasted_nano_usd) if cost.wasted_calls else "",
            shown_cost(cost),
        )
    table.add_section()
    waste = shown(total.wasted_nano_usd) if total.wasted_calls else ""
    table.add_row("total", *[""] * (len(group) - 1), str(total.calls), *[""] * 5, waste, shown_cost(total))
    app.console.print(table)
    if total.unpriced:
        app.console.print("prices that are unknown can be given: sottovoce costs --prices", style="dim")


def _show_prices(app: AppContext, *, as_json: bool) -> None:
    from rich import box
    from rich.table import Table

    from sottovoce.app.prices import OWN_TABLE, own_prices_path, read_prices

    prices = read_prices().prices
    if as_json:
        app.print_json(
            {
                "currency": "USD",
                "tables": [OWN_TABLE, own_prices_path()],
                "prices": [{key: _plain(value) for key, value in asdict(price).items()} for price in prices],
            }
        )
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    names = ("provider", "model", "input", "cached_input", "audio_input", "output", "characters", "minute", "date")
    for name in names:
        table.add_column(name.replace("_", " "), no_wrap=True, justify="left" if name in names[:2] else "right")
    for price in prices:
        values = (getattr(price, name) for name in names)
        table.add_row(*("" if value is None else str(value) for value in values))
    app.console.print(table)
    app.console.print("\nUSD: a million tokens (input to output), a million characters, a minute of sound")
    oldest = min((price.date for price in prices if price.date is not None), default=None)
    if oldest is not None and (date.today() - oldest).days > OLD_DAYS:
        app.console.print(f"some are as old as {oldest}: look whether they still hold", style="yellow")
    for line in (f"the table: {OWN_TABLE}", f"your own lines, which are stronger: {own_prices_path()}"):
        app.console.print(line, style="dim", markup=False, soft_wrap=True)


def _row_json(row: DaysCost) -> dict[str, object]:
    from sottovoce.app.money import cost_json

    return {**asdict(row), "cost": cost_json(row.cost)}


def _total_json(rows: Sequence[DaysCost]) -> dict[str, object]:
    from sottovoce.app.money import cost_json
    from sottovoce.session.spending import Cost

    return cost_json(sum((row.cost for row in rows), Cost()))


def _plain(value: object) -> object:
    from decimal import Decimal

    return float(value) if isinstance(value, Decimal) else value


def _count(number: int) -> str:
    return f"{number}" if number else ""
