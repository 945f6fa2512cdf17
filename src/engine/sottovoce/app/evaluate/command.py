"""`sottovoce eval`: recordings and what is in them in, a report out."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sottovoce.app.context import AppContext, setting_option
from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.terminal import end_on_terminate
from sottovoce.core.errors import AudioFileError, ConfigError, NotesError

if TYPE_CHECKING:
    from sottovoce.app.evaluate.manifest import Item
    from sottovoce.app.evaluate.measure import Heard, Parts, Voices
    from sottovoce.app.settings import Config
    from sottovoce.core.types import Mono
    from sottovoce.speech.asr.base import Recognizer
    from sottovoce.speech.notes.index import NotesIndex
    from sottovoce.speech.notes.note import Notes

#: Where notes are looked for if the settings name none.
NOTES_FOLDER = "notes"


@click.command("eval")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@setting_option("--notes", key="notes.path", metavar="DIR", help="Notes that are asked for. Default: notes in DIR.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write report.json and drawings there; made if missing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--example", is_flag=True, help="Write an example to DIR, which must not exist yet, and end.")
@click.pass_obj
def command(app: AppContext, folder: Path, out: Path | None, as_json: bool, example: bool) -> int:
    """Measure how well recordings are heard, with the settings in effect.

    DIR holds manifest.csv or manifest.jsonl, which says of each recording what is known of it: where speech is, what is
    said, by whom, which note answers, under which condition. The report tells, by condition and with 95 % intervals:
    how well speech was told from silence, words wrong, how well voices were told apart, and how often the right note
    was found. Ctrl-C ends it with a report of what was measured so far.
    """
    from sottovoce.app.evaluate.manifest import read_manifest

    if example:
        from sottovoce.app.evaluate.example import write_example

        write_example(folder)
        app.console.print(f"Written: {folder}. Measure it: sottovoce eval {folder}", markup=False, soft_wrap=True)
        return ExitCode.OK
    end_on_terminate()
    items = read_manifest(folder)
    if out is not None:
        _make_folder(out)
    failures: list[AudioFileError] = []
    heard: list[Heard] = []
    whole = False
    with ExitStack() as stack:
        parts = _open_parts(app, folder, items, stack)
        try:
            for one in _hear_all(app, items, parts, failures):
                heard.append(one)
            whole = True
        except KeyboardInterrupt:
            app.err.print(f"interrupted: {len(heard)} of {len(items)} recordings are in the report", style="yellow")
    _report(app, heard, parts, out, as_json, whole)
    if not whole:
        return ExitCode.INTERRUPTED
    return ExitCode.AUDIO_FILE if failures else ExitCode.OK


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "name a folder that you may write to"
        raise ConfigError(f"--out {out} cannot be made: {error.strerror}", key="--out", hint=hint) from error


def _open_parts(app: AppContext, folder: Path, items: Sequence[Item], stack: ExitStack) -> Parts:
    """Load what the manifest needs, and nothing else."""
    from sottovoce.app.evaluate.measure import Parts
    from sottovoce.app.wiring import make_segmenter

    config = app.config
    notes = _read_notes(config, folder, items)
    index: NotesIndex | None = None
    recognizer: Recognizer | None = None
    if notes is not None:
        from sottovoce.speech.notes.index import NotesIndex

        index = stack.enter_context(closing(NotesIndex(notes, min_confidence=config.notes.min_confidence)))
    if any(item.transcript or item.notes is not None or item.speech == () for item in items):
        with app.err.status("loading the recogniser"):
            recognizer = stack.enter_context(closing(_open_recognizer(config, notes, index)))
    return Parts(lambda: make_segmenter(config), recognizer, index, _open_voices(app, items, stack))


def _open_voices(app: AppContext, items: Sequence[Item], stack: ExitStack) -> Voices | None:
    """What compares voices, if the manifest names those of several recordings."""
    if sum(bool(item.speaker) for item in items) < 2:
        return None
    from sottovoce.app.evaluate.measure import Voices
    from sottovoce.app.models import fetch_missing
    from sottovoce.app.opening import open_wearer_embedder

    fetch_missing(app, app.config, ("embedding",))
    with app.err.status("loading what tells voices apart"):
        embedder = stack.enter_context(closing(open_wearer_embedder(app.config)))
        embedder.warm()
    return Voices(embedder, app.config.speaker.certainty)


def _open_recognizer(config: Config, notes: Notes | None, index: NotesIndex | None) -> Recognizer:
    from sottovoce.app.opening import open_recognizers
    from sottovoce.speech.notes.restoring import restoring
    from sottovoce.speech.notes.vocabulary import vocabulary

    alone = config.model_copy(update={"asr": config.asr.model_copy(update={"workers": 1})})
    (recognizer,), _ = open_recognizers(alone)
    recognizer.warm()
    if notes is None or index is None:
        return recognizer
    recognizer.adapt(index.questions(), vocabulary(notes.notes))
    return restoring(recognizer, lambda text: index.restore(text).text) if config.notes.restore else recognizer


def _read_notes(config: Config, folder: Path, items: Sequence[Item]) -> Notes | None:
    """The notes, if there are any; an error if the manifest asks for one that there is not."""
    from sottovoce.app.evaluate.measure import names_of
    from sottovoce.speech.notes.reader import read_notes

    path = config.notes.path or folder / NOTES_FOLDER
    if not path.exists() and config.notes.path is None:
        if any(item.notes for item in items):
            raise NotesError(
                "the manifest asks for notes, and there are none",
                path=path,
                hint=f"name their folder with --notes, or put them into {path}",
            )
        return None
    notes = read_notes(path)
    known = {name for note in notes.notes for name in names_of(note.title, note.questions)}
    for item in items:
        for title in item.notes or ():
            if title.casefold() not in known:
                near = difflib.get_close_matches(title.casefold(), known, n=1)
                more = f"; did you mean {near[0]!r}?" if near else ""
                raise ConfigError(
                    f"{item.name}, column notes: no note is called {title!r}{more}",
                    key="notes",
                    hint="`sottovoce notes check` lists the notes by their titles",
                )
    return notes


def _hear_all(app: AppContext, items: Sequence[Item], parts: Parts, failures: list[AudioFileError]) -> Iterator[Heard]:
    from sottovoce.app.evaluate.measure import hear
    from sottovoce.app.failure import show_error
    from sottovoce.app.wiring import EAR_SAMPLERATE

    with _progress(app, len(items)) as advance:
        for item in items:
            try:
                audio = _read(app.config, item.file)
            except AudioFileError as error:
                failures.append(error)
                show_error(error, app)
            else:
                yield hear(item, audio, EAR_SAMPLERATE, parts)
            advance()


def _read(config: Config, path: Path) -> Mono:
    """A recording as the assistant would hear it."""
    import numpy as np

    from sottovoce.app.inputs import FileInput
    from sottovoce.app.wiring import EAR_SAMPLERATE, condition
    from sottovoce.audio.files import AudioFile

    with AudioFile(path, samplerate=EAR_SAMPLERATE) as file:
        ear = condition(config, FileInput(file))
        blocks = [np.empty(0, np.float32)]
        while (block := ear.read()) is not None:
            blocks.append(block)
    return np.concatenate(blocks)


@contextmanager
def _progress(app: AppContext, total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, if that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("listening"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=app.err, transient=True, disable=not app.err.is_terminal) as progress:
        task = progress.add_task("listening", total=total)
        yield lambda: progress.advance(task)


def _report(
    app: AppContext, heard: Sequence[Heard], parts: Parts, out: Path | None, as_json: bool, whole: bool
) -> None:
    from sottovoce.app.evaluate import plots, report
    from sottovoce.app.evaluate.measure import summarise

    summaries = summarise(heard, parts.voices)
    used = {
        "vad": app.config.vad.backend,
        "asr": "" if parts.recognizer is None else parts.recognizer.name,
        "speaker": "" if parts.voices is None else parts.voices.embedder.name,
    }
    document = report.as_json(summaries, heard, used, whole)
    if as_json:
        app.print_json(document)
    elif heard:
        app.console.print(report.table(summaries))
    if out is None:
        return
    written = {"report.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n"}
    if heard:
        written["figures.svg"] = plots.bars(summaries)
    if any(summary.voices is not None for summary in summaries):
        written["voices.svg"] = plots.curves(summaries)
    try:
        for name, text in written.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        hint = "name a folder that you may write to"
        raise ConfigError(f"{out} cannot be written to: {error.strerror}", key="--out", hint=hint) from error
    app.err.print(f"written to {out}: {', '.join(written)}", style="dim", markup=False, soft_wrap=True)
