"""`sottovoce answer`: the same on recordings, as fast as the machine allows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from sottovoce.app.context import AppContext, setting_option
from sottovoce.core.errors import AudioFileError, ConfigError

if TYPE_CHECKING:
    from sottovoce.app.view import SessionView, TurnView
    from sottovoce.app.wiring import Backends
    from sottovoce.assistant.notices import Notice
    from sottovoce.audio.files import AudioFile

#: Recordings longer than this (s) get a progress bar.
PROGRESS_FROM_S = 10.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one recording."""

    file: Path
    duration_s: float
    warning: str
    spoken: Path | None
    view: SessionView


@click.command("answer")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@setting_option("--notes", key="notes.path", metavar="DIR", help="Your notes: a folder of Markdown, or one file.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Folder for the spoken theses, NAME.theses.wav for each recording; made if missing. Default: here.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
@click.pass_context
def command(context: click.Context, files: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Answer the questions in recordings (WAV, FLAC, OGG, MP3; any rate, any number of channels).

    Prints the transcript of every utterance with its theses, and writes the spoken theses. A recording that cannot be
    read is reported and the others are answered all the same; the exit code is then 4.
    """
    from sottovoce.app.failure import show_error
    from sottovoce.app.sessions import loaded_backends

    app = context.ensure_object(AppContext)
    _make_folder(out)
    answered: list[Answered] = []
    failures: list[AudioFileError] = []
    with loaded_backends(app) as backends:
        for file, target in zip(files, _targets(files, out), strict=True):
            try:
                answered.append(_answer(app, backends, file, target, as_json))
            except AudioFileError as error:
                failures.append(error)
                show_error(error, app)
    if as_json:
        app.print_json({"files": [_as_json(result) for result in answered], "failed": [_failure(e) for e in failures]})
    if failures:
        raise click.exceptions.Exit(4)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--out {out} cannot be made: {error.strerror}", key="--out", hint="name a folder that you may write to"
        ) from error


def _targets(files: tuple[Path, ...], out: Path) -> list[Path]:
    """Where the theses of each file go; files of the same name get a number."""
    taken: dict[str, int] = {}
    targets = []
    for file in files:
        count = taken[file.stem] = taken.get(file.stem, 0) + 1
        targets.append(out / (f"{file.stem}.theses.wav" if count == 1 else f"{file.stem}-{count}.theses.wav"))
    return targets


def _answer(app: AppContext, backends: Backends, file: Path, target: Path, as_json: bool) -> Answered:
    from sottovoce.app.inputs import FileInput
    from sottovoce.app.sessions import kept_session, running, wait_until_done
    from sottovoce.app.show import Screen, clock_time
    from sottovoce.app.wiring import EAR_SAMPLERATE, first_generator, make_pipeline
    from sottovoce.audio.files import AudioFile
    from sottovoce.audio.player import Player
    from sottovoce.audio.wav import WavOutput

    samplerate = backends.synthesizer.samplerate
    with AudioFile(file, samplerate=EAR_SAMPLERATE) as audio:
        if not as_json:
            app.console.print(Text.assemble((str(file), "bold"), f"  {clock_time(audio.duration_s)}"), soft_wrap=True)
        player = Player(samplerate, 1, output=WavOutput(target, paced=False))
        screen = Screen(app.console, realtime=False, quiet=as_json, generator=first_generator(app.config))
        with (
            _progress(app, audio, as_json) as follow,
            kept_session(app, "answer", str(app.config.notes.path or "")) as kept,
            player,
            closing(player.open_source(samplerate)) as voice,
        ):
            pipeline = make_pipeline(
                app.config,
                backends,
                kept.ear(FileInput(audio)),
                voice,
                (screen, follow, *kept.observers),
                lossless=True,
                purse=kept.purse,
            )
            with screen, running(app, pipeline):
                wait_until_done(pipeline)
        spoken = any(view.state == "spoken" for turn in screen.view.turns for view in turn.theses)
        if not spoken:
            target.unlink(missing_ok=True)
        answered = Answered(file, audio.duration_s, _warning(audio), target if spoken else None, screen.view)
    if not as_json:
        _conclude(app, answered)
    return answered


def _warning(audio: AudioFile) -> str:
    """What was wrong with the recording, though it could be read."""
    if audio.truncated:
        return f"{audio.path} ends before its header says it would; what is there was answered"
    if audio.scrubbed_samples:
        return f"{audio.path} holds {audio.scrubbed_samples} samples that are no numbers; they were taken for silence"
    return f"{audio.path}: {audio.warning}" if audio.warning else ""


@contextmanager
def _progress(app: AppContext, audio: AudioFile, as_json: bool) -> Iterator[_Follower]:
    """A bar for a long recording, on whichever of the two streams is a terminal."""
    console: Console = app.console if app.console.is_terminal and not as_json else app.err
    if not console.is_terminal or audio.duration_s < PROGRESS_FROM_S:
        yield _Follower(None, 0)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Follower(progress, progress.add_task("listening", total=audio.duration_s))


@dataclass(frozen=True, slots=True)
class _Follower:
    """An observer that moves the bar."""

    progress: Progress | None
    task: int

    def __call__(self, notice: Notice) -> None:
        from sottovoce.assistant.notices import InputProgress

        if self.progress is not None and isinstance(notice, InputProgress):
            self.progress.update(self.task, completed=notice.heard_s)  # type: ignore[arg-type]


def _conclude(app: AppContext, answered: Answered) -> None:
    from sottovoce.app.money import shown_cost
    from sottovoce.app.sessions import warn

    view = answered.view
    if answered.warning:
        warn(app, answered.warning)
    if not view.utterances:
        app.console.print(Text("      nobody says anything in it that is long enough to be a question", style="dim"))
    if view.cost.calls:
        app.console.print(Text(f"      cost: {shown_cost(view.cost)}", "dim"))
    if answered.spoken:
        app.console.print(Text.assemble(("      spoken theses: ", "dim"), str(answered.spoken)), soft_wrap=True)
    app.console.print()


def _as_json(answered: Answered) -> dict[str, object]:
    from sottovoce.app.money import cost_json

    view = answered.view
    turns = {turn.question.number: turn for turn in view.turns}
    reasons = {(each.utterance.number, each.utterance.aside): each.reason for each in view.ignored}
    return {
        "file": str(answered.file),
        "duration_s": round(answered.duration_s, 3),
        "warning": answered.warning,
        "spoken": None if answered.spoken is None else str(answered.spoken),
        "utterances": [
            {
                "number": utterance.number,
                "start_s": round(utterance.start_s, 3),
                "end_s": round(utterance.end_s, 3),
                "speaker": utterance.speaker,
                "text": utterance.text,
                "confidence": utterance.confidence,
                "ignored": reasons.get((utterance.number, utterance.aside), ""),
                "aside": utterance.aside,
                "answer": None
                if utterance.aside or utterance.number not in turns
                else _turn_json(turns[utterance.number]),
            }
            for utterance in view.utterances
        ],
        "failures": [asdict(failure) for failure in view.failures],
        "cost": cost_json(view.cost),
    }


def _turn_json(turn: TurnView) -> dict[str, object]:
    return {
        "outcome": turn.outcome,
        "theses": [
            {"text": view.thesis.text, "source": view.thesis.source, "state": view.state} for view in turn.theses
        ],
    }


def _failure(error: AudioFileError) -> dict[str, str]:
    return {"file": str(error.path), "error": error.message, "hint": error.hint}
