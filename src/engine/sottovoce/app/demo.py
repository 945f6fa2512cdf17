"""`sottovoce demo`: a conversation with itself, through the real pipeline, on any machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.text import Text

from sottovoce.app.context import AppContext, setting_option
from sottovoce.app.web.options import open_door, show_link, web_options
from sottovoce.assistant.controls import Mute
from sottovoce.core.errors import DeviceError, StreamError

if TYPE_CHECKING:
    from sottovoce.app.config import Loaded
    from sottovoce.app.sessions import Kept
    from sottovoce.app.settings import Config
    from sottovoce.app.view import TurnView
    from sottovoce.app.web.page import Page
    from sottovoce.app.web.server import Door
    from sottovoce.app.wiring import Backends
    from sottovoce.assistant.notices import Notice
    from sottovoce.assistant.ports import Observer
    from sottovoce.audio.player import Player
    from sottovoce.core.types import Mono

#: The demo's own notes.
SAMPLE_NOTES = Path(__file__).parent / "sample_notes"

#: Who asks, and how fast (words per minute over espeak's 175).
ASKING_VOICE = "en-us+f3"
ASKING_SPEED = 150 / 175

#: Where the conversation is written when there is nothing to play it on.
DEFAULT_OUT = Path("sottovoce-demo.wav")

#: Seconds to wait for the end of one turn before the demo says that something is wrong.
TURN_LIMIT_S = 30.0

#: Of the questions in the notes, how many are asked, and how many theses answer each.
QUESTIONS = 3
THESES = 2

#: Samplerate (Hz) of the file.
RATE = 48_000

DOCTOR_HINT = "`sottovoce doctor` shows what works on this machine"


@dataclass(slots=True)
class TurnWatch:
    """An observer that lets the demo wait until a question has been dealt with."""

    settled: int = 0
    _condition: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, notice: Notice) -> None:
        from sottovoce.assistant.notices import TurnEnded, UtteranceHeard

        if isinstance(notice, TurnEnded) or (isinstance(notice, UtteranceHeard) and notice.ignored):
            with self._condition:
                self.settled += 1
                self._condition.notify_all()

    def wait_for(self, count: int) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self.settled >= count, TURN_LIMIT_S)


@click.command("demo")
@setting_option("--notes", key="notes.path", metavar="DIR", help="Your own notes instead of the sample.")
@setting_option("--output", key="audio.output", metavar="DEVICE", help="Output: id, name or a part of it.")
@click.option("--ask", "asked", multiple=True, metavar="QUESTION", help="Ask this; may be repeated.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Write the conversation to this WAV file instead of playing it. Without an output: {DEFAULT_OUT}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the screen.")
@web_options
@click.pass_obj
def command(
    app: AppContext, asked: tuple[str, ...], out: Path | None, as_json: bool, web: bool, web_open: bool
) -> None:
    """Ask questions aloud, hear them, answer them from notes, and speak the theses.

    Needs no key, no network, no microphone and no sound card. One voice asks, the pipeline hears it as it would hear
    a microphone, and another voice speaks the key points.
    With --web it begins once the page is opened.
    """
    from sottovoce.app.sessions import loaded_backends
    from sottovoce.app.show import summary_table

    config = _own_settings(app.loaded)
    with ExitStack() as stack:
        door = stack.enter_context(open_door(app)) if web or web_open else None
        backends = stack.enter_context(loaded_backends(app, config))
        questions = asked or choose_questions(backends.questions, QUESTIONS)
        conversation = Conversation(app, config, backends, questions, door, web_open)
        held = conversation.hold(out, quiet=as_json)
    if as_json:
        app.print_json(_as_json(questions, held))
        return
    app.console.print()
    app.console.print(summary_table(held.turns))
    if held.written_to is not None:
        app.console.print(Text.assemble(("written to ", "dim"), str(held.written_to)), soft_wrap=True)


def _own_settings(loaded: Loaded) -> Config:
    """The settings, with the demo's own where nobody has said otherwise."""

    def unset(key: str) -> bool:
        return loaded.provenance[key].layer == "default"

    config = loaded.config
    notes = {"path": SAMPLE_NOTES} if unset("notes.path") else {}
    llm = {"max_theses": THESES} if unset("llm.max_theses") else {}
    return config.model_copy(
        update={"notes": config.notes.model_copy(update=notes), "llm": config.llm.model_copy(update=llm)}
    )


def choose_questions(bank: Sequence[str], count: int) -> tuple[str, ...]:
    """``count`` questions spread over the bank, those that end in a question mark first."""
    asked = [question for question in bank if question.endswith("?")] or list(bank)
    step = max(1, len(asked) // count)
    return tuple(asked[::step][:count])


def speak_question(text: str) -> Mono:
    """The question as somebody asks it, at the samplerate of the ear."""
    from sottovoce.app.wiring import EAR_SAMPLERATE
    from sottovoce.audio.resampler import Resampler
    from sottovoce.core.cancel import CancelToken
    from sottovoce.speech.registry import open_synthesizer

    asker = open_synthesizer("espeak", voice=ASKING_VOICE, speed=ASKING_SPEED)
    asker.warm()
    spoken = np.concatenate(list(asker.synthesize(text, "en", CancelToken())))
    resampler = Resampler(asker.samplerate, EAR_SAMPLERATE, 1, quality="hq")
    return np.concatenate([resampler.process(spoken), resampler.flush()])


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation that was held.

    Attributes
    ----------
    turns : list of TurnView
        What was heard and answered; an utterance that raised no turn is not among them.
    ends_ns : list of int
        When each question had truly ended, on the session's clock.
    written_to : Path or None
        The file, if it was written to one.
    """

    turns: list[TurnView]
    ends_ns: list[int]
    written_to: Path | None

    def first_audio_ms(self, turn: TurnView) -> float | None:
        """From the true end of the question, not the detector's, to the first sample of its first thesis."""
        from sottovoce.metrics.stages import Stage

        first_ns = turn.times.marks_ns.get(Stage.FIRST_SAMPLE) if turn.times else None
        asked_ns = [end_ns for end_ns in self.ends_ns if first_ns is not None and end_ns < first_ns]
        return None if first_ns is None or not asked_ns else (first_ns - max(asked_ns)) / 1e6


@dataclass(frozen=True, slots=True)
class Conversation:
    """The demo asks, the pipeline answers, question after question."""

    app: AppContext
    config: Config
    backends: Backends
    questions: Sequence[str]
    door: Door | None = None
    web_open: bool = False

    def hold(self, out: Path | None, *, quiet: bool) -> Held:
        """Hold it, and say how it went."""
        from sottovoce.app.inputs import MutedInput, StageInput
        from sottovoce.app.sessions import kept_session, running
        from sottovoce.app.show import Screen
        from sottovoce.app.wiring import EAR_SAMPLERATE, first_generator, make_pipeline, open_voice

        speech = [speak_question(question) for question in self.questions]
        player, target = self._open_player(out)
        stage, watch, mute = StageInput(EAR_SAMPLERATE), TurnWatch(), Mute()
        screen = Screen(self.app.console, realtime=True, quiet=quiet, generator=first_generator(self.config))
        with ExitStack() as stack:
            stack.enter_context(player)
            voice = stack.enter_context(closing(open_voice(self.config, player, self.backends.synthesizer.samplerate)))
            room = stack.enter_context(closing(player.open_source(EAR_SAMPLERATE, buffer_s=30.0)))
            kept = stack.enter_context(kept_session(self.app, "demo", str(self.config.notes.path or "")))
            page = self._page(player, kept)
            observers: tuple[Observer, ...] = (screen, watch, *kept.observers)
            pipeline = make_pipeline(
                self.config,
                self.backends,
                kept.ear(MutedInput(stage, mute)),
                voice,
                observers if page is None else (*observers, page.board),
                lossless=False,
                purse=kept.purse,
                mute=mute,
            )
            if page is not None:
                self._wait_for_reader(page, stack.enter_context(page.serve(pipeline)), quiet=quiet)
            stack.enter_context(screen)
            stack.enter_context(running(self.app, pipeline))
            for count, sound in enumerate(speech, 1):
                stage.say(sound)
                room.write(sound)
                room.end()
                if not watch.wait_for(count):
                    raise StreamError(f"question {count} was not answered in {TURN_LIMIT_S:.0f} s", hint=DOCTOR_HINT)
        return Held(screen.view.turns, stage.ends_ns, target)

    def _page(self, player: Player, kept: Kept) -> Page | None:
        if self.door is None:
            return None
        from sottovoce.app.monitor.look import Look
        from sottovoce.app.web.page import Page, Session

        def look() -> Look:
            return Look(time.monotonic_ns(), player.snapshot_state())

        session = Session(self.config, kept.session_id, look=look, spent_today=kept.purse.spent_today)
        return Page(session, self.door)

    def _wait_for_reader(self, page: Page, link: str, *, quiet: bool) -> None:
        console = self.app.err if quiet else self.app.console
        show_link(console, link, web_open=self.web_open)
        console.print("The conversation begins once the page is opened.", style="dim")
        while not page.board.seen.wait(0.5):  # so that Ctrl-C ends it, where no wait can be interrupted
            pass

    def _open_player(self, out: Path | None) -> tuple[Player, Path | None]:
        """The default output if there is one and no file is wanted, else a file written at the pace of time."""
        from sottovoce.app.wiring import open_player
        from sottovoce.audio.devices import find_device
        from sottovoce.audio.player import Player
        from sottovoce.audio.wav import WavOutput

        if out is None:
            wanted = self.config.audio.output
            try:
                find_device(wanted, "output")
            except DeviceError as error:
                if wanted is not None:
                    raise
                self.app.err.print(Text(f"{error.message}: writing to {DEFAULT_OUT} instead", style="dim"))
            else:
                return open_player(self.config), None
        target = out or DEFAULT_OUT
        return Player(RATE, 1, output=WavOutput(target, paced=True)), target


def _as_json(questions: Sequence[str], held: Held) -> dict[str, object]:
    turns = [
        {
            "heard": turn.question.text,
            "outcome": turn.outcome,
            "theses": [
                {"text": view.thesis.text, "source": view.thesis.source, "state": view.state} for view in turn.theses
            ],
            "first_audio_ms": held.first_audio_ms(turn),
            "stages_ms": {str(span): ms for span, ms in (turn.times.spans_ms() if turn.times else {}).items()},
        }
        for turn in held.turns
    ]
    return {"asked": list(questions), "turns": turns, "written_to": held.written_to}
