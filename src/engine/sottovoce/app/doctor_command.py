"""``sottovoce doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sottovoce.app.context import AppContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sottovoce.app.doctor import Check

_STYLES = {"ok": "green", "warning": "yellow", "missing": "bold red"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Check what works on this machine, and show the command that mends the rest.

    Ends with 0 if `demo` and `answer` work: what only `live` needs is a warning.
    """
    from sottovoce.app.doctor import checks, exit_code

    app = context.ensure_object(AppContext)
    with app.err.status("looking..."):
        found = list(checks(lambda: app.loaded))
    code = exit_code(found)
    if as_json:
        app.print_json({"works": code == 0, "exit_code": int(code), "checks": [_as_json(check) for check in found]})
    else:
        _show(app, found)
    context.exit(code)


def _show(app: AppContext, found: Sequence[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in found:
        table.add_row(Text(check.state, _STYLES[check.state]), check.name, Text(check.detail))
    app.console.print(table)
    mends: dict[str, list[Check]] = {}
    for check in found:
        if check.mend:
            mends.setdefault(check.mend, []).append(check)
    if mends:
        app.console.print("\nto mend:", style="bold")
    for mend, checks in mends.items():  # apart from the table, whole, so that it can be copied
        names = ", ".join(check.name for check in checks)
        app.console.print(Text(f"  {names}: ", _STYLES[checks[0].state]), end="")
        app.console.print(mend, markup=False, soft_wrap=True)
    app.console.print()
    app.console.print(_verdict(found), style="bold")


def _verdict(found: Sequence[Check]) -> str:
    missing = [check.name for check in found if check.state == "missing"]
    if missing:
        return f"`demo` and `answer` do not work: {', '.join(missing)}"
    warned = {check.name for check in found if check.state == "warning"}
    live = "" if warned.isdisjoint({"PortAudio", "earpiece", "microphone"}) else "; `live` needs what is listed above"
    return f"`demo` and `answer` work{live}"


def _as_json(check: Check) -> dict[str, str]:
    return {"name": check.name, "state": check.state, "detail": check.detail, "mend": check.mend}
