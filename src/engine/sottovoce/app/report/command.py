"""``sottovoce report``."""

from __future__ import annotations

from pathlib import Path

import click

from sottovoce.app.context import AppContext
from sottovoce.app.private_file import write_private


@click.command("report")
@click.argument("session", metavar="ID|last")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write here; - is stdout. Default: session-ID.html here.",
)
@click.option("--redact", is_flag=True, help="Leave all words out, and names of notes, files and devices.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.pass_obj
def command(app: AppContext, session: str, out: Path | None, redact: bool, force: bool) -> None:
    """Write a session as one page: transcript, theses, waterfalls, engine, cost, set-up.

    The page is one HTML file that needs nothing else, for a colleague or, with --redact, for a bug report: then times,
    figures and errors are all that is in it. The file is readable by you alone.
    """
    from sottovoce.app.report.page import report_html
    from sottovoce.app.sessions_commands import open_store, session_of

    with open_store(app) as store:
        record = store.session(session_of(store, session))
    html = report_html(record, redact=redact)
    if out == Path("-"):
        click.echo(html, nl=False)
        return
    file = out or Path(f"session-{record.summary.id}.html")
    write_private(file, html, overwrite=force)
    app.err.print(f"wrote {file}", markup=False, soft_wrap=True)
