"""``sottovoce notes``: what is in your notes, and what would be found in them."""

from __future__ import annotations

import math
import os
from contextlib import closing
from dataclasses import asdict
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
_WHERE = {
    "heading": "in the heading",
    "heading above": "in a heading above",
    "points": "in the points",
    "alike": "alike",
}


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
    """Show which notes answer a question, best first, how likely, and why.

    Those below the threshold (notes.min_confidence) are shown apart: they would not be given for an answer. The
    question is read as a transcript is: with names and numbers restored.
    """
    from sottovoce.speech.notes.index import NotesIndex

    path, notes = _read(app.config)
    settings = app.config.notes
    with closing(NotesIndex(notes, min_confidence=settings.min_confidence)) as index:
        heard = " ".join(words)
        text = index.restore(heard).text if settings.restore else heard
        hits = index.rank(text, limit)
    if as_json:
        app.print_json([_hit_as_json(hit, settings.min_confidence) for hit in hits])
        return
    if text != heard:
        app.console.print(f"asked as: {text}", style="dim", markup=False, soft_wrap=True)
    given = [hit for hit in hits if hit.confidence >= settings.min_confidence]
    if given:
        _show_hits(app, given, path, with_points=True)
    else:
        app.console.print(f"no note answers this, of {_count(notes.notes, 'note')}")
    if unsure := hits[len(given) :]:
        app.console.print(f"\nnearest, but below the threshold of {settings.min_confidence:.0%}:", style="dim")
        _show_hits(app, unsure, path, with_points=False, first=len(given) + 1)


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


def _show_hits(app: AppContext, hits: Sequence[Hit], root: Path, *, with_points: bool, first: int = 1) -> None:
    from rich.padding import Padding
    from rich.text import Text

    for number, hit in enumerate(hits, first):
        found = (f"  {_place(hit.note, root)}  {hit.confidence:.0%}", "dim")
        app.console.print(Text.assemble(f"{number}. ", (hit.note.title, "bold"), found), soft_wrap=True)
        for point in hit.note.points if with_points else ():
            app.console.print(Padding(Text(f"- {point}"), (0, 0, 0, 3), expand=False))
        app.console.print(Padding(Text(f"why: {_why(hit)}", "dim"), (0, 0, 0, 3), expand=False))


def _why(hit: Hit) -> str:
    """The words that a note covers, by where they stand."""
    found: dict[str, list[str]] = {}
    for match in hit.matches:
        word = match.heard if match.where != "alike" else f"{match.heard} ~ {match.meant}"
        found.setdefault(match.where, []).append(word)
    named = "; ".join(f"{_WHERE[where]}: {', '.join(words)}" for where, words in found.items())
    return f"{named or 'only its sound'} ({hit.coverage:.0%} of what is asked)"


def _hit_as_json(hit: Hit, threshold: float) -> dict[str, object]:
    return {
        **_as_json(hit.note),
        "given": hit.confidence >= threshold,
        "confidence": hit.confidence,
        "threshold": threshold,
        "score": hit.score if math.isfinite(hit.score) else None,
        "coverage": hit.coverage,
        "matched": [asdict(match) for match in hit.matches],
    }


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
