"""``sottovoce notes``: what is in your notes, and what would be found in them."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sottovoce.app.context import AppContext, setting_option
from sottovoce.core.errors import NotesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sottovoce.app.settings import Config
    from sottovoce.speech.notes.index import Hit
    from sottovoce.speech.notes.note import Note, Notes

_notes_option = setting_option("--notes", key="notes.path", metavar="DIR", help="Folder of notes, or a single note.")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("notes")
def command() -> None:
    """Search your notes, or check that they are read as you meant them."""


@command.command("search")
@click.argument("words", nargs=-1, required=True)
@_notes_option
@click.option("--limit", type=click.IntRange(1, 100), default=5, show_default=True, help="Most notes shown.")
@_json_option
@click.pass_obj
def search(app: AppContext, words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Show which notes answer a question, best first.

    Behind each stands how much of the question it covers.
    """
    from sottovoce.speech.notes.index import NotesIndex

    path, notes = _read(app.config)
    with closing(NotesIndex(notes)) as index:
        hits = index.search(" ".join(words), limit)
    if as_json:
        app.print_json([{**_as_json(hit.note), "coverage": hit.coverage, "matched": hit.matched} for hit in hits])
    elif hits:
        _show_hits(app, hits, path)
    else:
        app.console.print(f"no note answers this, of {_count(notes.notes, 'note')}")


@command.command("check")
@_notes_option
@_json_option
@click.pass_obj
def check(app: AppContext, as_json: bool) -> None:
    """List every note as it was read, and whatever is wrong with them."""
    path, notes = _read(app.config)
    if as_json:
        warnings = [
            {"path": item.path, "line": item.line, "message": item.message, "hint": item.hint}
            for item in notes.warnings
        ]
        app.print_json({"notes": [_as_json(note) for note in notes.notes], "warnings": warnings})
        return
    _show_notes(app, notes.notes, path)
    for warning in notes.warnings:
        app.err.print("[yellow]warning:[/]", end=" ")
        app.err.print(str(warning), markup=False, soft_wrap=True)
        app.err.print(f"         {warning.hint}", style="dim", markup=False, soft_wrap=True)


def _read(config: Config) -> tuple[Path, Notes]:
    from sottovoce.speech.notes.reader import read_notes

    path = config.notes.path
    if path is None:
        raise NotesError("no notes are given", path="", hint="name their folder with --notes DIR, or set notes.path")
    return path, read_notes(path)


def _show_hits(app: AppContext, hits: Sequence[Hit], root: Path) -> None:
    from rich.padding import Padding
    from rich.text import Text

    for number, hit in enumerate(hits, 1):
        place = _place(hit.note, root)
        found = (f"  {place}  {hit.coverage:.0%}", "dim")
        app.console.print(Text.assemble(f"{number}. ", (hit.note.title, "bold"), found), soft_wrap=True)
        for point in hit.note.points:
            app.console.print(Padding(Text(f"- {point}"), (0, 0, 0, 3), expand=False))


def _show_notes(app: AppContext, notes: Sequence[Note], root: Path) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("note", overflow="fold")
    table.add_column("questions", justify="right")
    table.add_column("points", justify="right")
    table.add_column("where", overflow="fold")
    for note in notes:
        title = Text(" > ".join((*note.trail, note.title)))
        table.add_row(title, str(len(note.questions)), str(len(note.points)), Text(_place(note, root), "dim"))
    app.console.print(table)
    app.console.print(f"\n{_count(notes, 'note')}, {sum(len(note.points) for note in notes)} points", style="dim")


def _place(note: Note, root: Path) -> str:
    """File and line, from the folder that was asked for."""
    folder = root if root.is_dir() else root.parent
    return f"{os.path.relpath(note.path, folder)}:{note.line}"


def _count(things: Sequence[object], word: str) -> str:
    return f"{len(things)} {word}" + ("" if len(things) == 1 else "s")


def _as_json(note: Note) -> dict[str, object]:
    return {
        "title": note.title,
        "trail": note.trail,
        "questions": note.questions,
        "points": note.points,
        "path": note.path,
        "line": note.line,
    }
