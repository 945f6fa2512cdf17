"""`sottovoce live`: microphone and earpiece."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

import click
from rich.text import Text

from sottovoce.app.context import AppContext, setting_option
from sottovoce.app.keys import HELP, Keys
from sottovoce.app.terminal import end_on_terminate
from sottovoce.app.web.options import open_door, show_link, web_options
from sottovoce.assistant.controls import Mute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sottovoce.app.inputs import MicrophoneInput
    from sottovoce.app.sessions import Kept
    from sottovoce.app.show import Screen
    from sottovoce.app.two_ears import PairedEars
    from sottovoce.app.web.page import Page
    from sottovoce.app.web.server import Door
    from sottovoce.app.wiring import Backends
    from sottovoce.assistant.messages import EarKind
    from sottovoce.assistant.notices import Notice
    from sottovoce.assistant.pipeline import Pipeline
    from sottovoce.assistant.ports import Observer
    from sottovoce.audio.player import Player
    from sottovoce.audio.recorder import Recorder
    from sottovoce.audio.source import PlayerSource
    from sottovoce.speech.wearer.verifier import WearerVerifier


@click.command("live")
@setting_option("--notes", key="notes.path", metavar="DIR", help="Your notes: a folder of Markdown, or one file.")
@setting_option("--input", key="audio.input", metavar="DEVICE", help="Microphone: id, name or a part of it.")
@setting_option("--output", key="audio.output", metavar="DEVICE", help="Earpiece: id, name or a part of it.")
@setting_option("--metrics-port", key="metrics.port", metavar="PORT", help="Show metrics to Prometheus at this port.")
@web_options
@setting_option(
    "--loopback",
    key="audio.loopback",
    metavar="DEVICE",
    help="Hear what this computer plays, too, as the other side: auto, or the name of an output.",
)
@click.pass_obj
def command(app: AppContext, web: bool, web_open: bool) -> None:
    """Listen to the microphone, and speak the key points of each answer into the earpiece.

    Everything is loaded before it says that it is ready. Ctrl-C ends it. The people around you may have to agree to
    being transcribed; nothing leaves this machine with the offline parts.
    """
    end_on_terminate()
    session = LiveSession(app, web=web or web_open, web_open=web_open)
    try:
        session.run()
    except KeyboardInterrupt:
        if not session.ready:  # once it is ready, Ctrl-C is how it ends
            raise


class Attention:
    """Observes who speaks: as long as nobody does, the microphone is read at leisure; once somebody does, the output
    is opened if it rests, well before there is an answer.
    """

    def __init__(self, microphone: MicrophoneInput | PairedEars, player: Player) -> None:
        self._microphone, self._player = microphone, player
        self._speaking: set[EarKind] = set()
        microphone.attentive = False

    def __call__(self, notice: Notice) -> None:
        from sottovoce.assistant.notices import SpeechBegan, SpeechEnded

        match notice:
            case SpeechBegan(_, ear):
                self._speaking.add(ear)
                self._microphone.attentive = True
                self._player.wake()
            case SpeechEnded(_, ear):
                self._speaking.discard(ear)
                self._microphone.attentive = bool(self._speaking)
            case _:
                pass


class LiveSession:
    """A session from loading to Ctrl-C; ``ready`` is true once it listens."""

    def __init__(self, app: AppContext, *, web: bool = False, web_open: bool = False) -> None:
        self.ready = False
        self._app, self._web, self._web_open = app, web, web_open

    def run(self) -> None:
        """Load everything, say so, and listen until Ctrl-C."""
        from sottovoce.app.measured import measured_session
        from sottovoce.app.sessions import kept_session, loaded_backends, running, wait_until_done
        from sottovoce.app.wiring import connect_reflex, open_loopback, open_player, open_recorder, open_voice

        app, config = self._app, self._app.config
        with ExitStack() as stack:
            door = stack.enter_context(open_door(app)) if self._web else None
            measured = stack.enter_context(measured_session(app))
            # devices first: whoever forgot to plug in need not wait for models
            recorder = stack.enter_context(open_recorder(config))
            second = open_loopback(config)
            played = stack.enter_context(second[1]) if second is not None else None
            player = stack.enter_context(open_player(config, rests=True))
            connect_reflex(config, player, recorder)
            verifier = self._wearer(stack)
            backends = stack.enter_context(loaded_backends(app))
            voice = stack.enter_context(closing(open_voice(config, player, backends.synthesizer.samplerate)))
            kept = stack.enter_context(kept_session(app, "live", str(config.notes.path or "")))
            page = self._page(door, recorder, player, kept) if door is not None else None
            observers = (*measured.observers, *([page.board] if page is not None else []))
            ears = self._ears(recorder, played, player, stack)
            pipeline, screen = self._connect(ears, recorder, player, backends, voice, kept, verifier, observers)
            stack.enter_context(measured.watching(player, recorder, pipeline, kept.purse, played))
            self.ready = True
            keys = Keys()
            self._greet(recorder, played, player, keys, verifier)
            if measured.url:
                app.console.print(Text(f"Metrics are at {measured.url}", "dim"), soft_wrap=True)
            if page is not None:
                link = stack.enter_context(page.serve(pipeline))
                show_link(app.console, link, web_open=self._web_open)
            stack.enter_context(screen)
            stack.enter_context(running(app, pipeline))
            with suppress(KeyboardInterrupt), keys:
                wait_until_done(pipeline, keys)

    def _wearer(self, stack: ExitStack) -> WearerVerifier | None:
        from sottovoce.app.voices import open_verifier

        verifier = open_verifier(self._app.config)
        if verifier is not None:
            stack.callback(verifier.close)
        return verifier

    def _ears(
        self, recorder: Recorder, played: Recorder | None, player: Player, stack: ExitStack
    ) -> MicrophoneInput | PairedEars:
        from sottovoce.app.wiring import listen_to, listen_to_both

        if played is None:
            return listen_to(self._app.config, recorder)
        ears = listen_to_both(self._app.config, recorder, played, player)
        stack.callback(ears.release)
        return ears

    def _connect(
        self,
        ears: MicrophoneInput | PairedEars,
        recorder: Recorder,
        player: Player,
        backends: Backends,
        voice: PlayerSource,
        kept: Kept,
        verifier: WearerVerifier | None,
        more: Sequence[Observer],
    ) -> tuple[Pipeline, Screen]:
        from sottovoce.app.inputs import MutedInput
        from sottovoce.app.show import Screen
        from sottovoce.app.two_ears import PairedEars
        from sottovoce.app.wiring import first_generator, make_pipeline, verifier_of_microphone

        config = self._app.config
        screen = Screen(self._app.console, realtime=True, keep=False, generator=first_generator(config))
        mute = Mute()
        streams = {
            "output": lambda: player.snapshot_state().stream,
            "input": lambda: recorder.snapshot_state().stream,
        }
        observers: tuple[Observer, ...] = (
            Attention(ears, player),
            screen,
            *kept.observers,
            *kept.engine(streams),
            *more,
        )
        pipeline = make_pipeline(
            config,
            backends,
            kept.ear(MutedInput(ears, mute)),
            voice,
            observers,
            lossless=False,
            purse=kept.purse,
            verifier=verifier_of_microphone(config, verifier),
            mute=mute,
            beside=MutedInput(ears.beside, mute) if isinstance(ears, PairedEars) else None,
        )
        return pipeline, screen

    def _greet(
        self,
        recorder: Recorder,
        played: Recorder | None,
        player: Player,
        keys: Keys,
        verifier: WearerVerifier | None,
    ) -> None:
        from sottovoce.audio.afresh import check_headset

        console = self._app.console
        heard, spoken = recorder.snapshot_state().stream.device, player.snapshot_state().stream.device
        listening = f"Listening to {heard!r}" if heard else "Waiting for the microphone"
        speaking = f"speaking to {spoken!r}" if spoken else "waiting for the earpiece"
        if played is not None:
            other = played.snapshot_state().stream.device
            listening += f" and to what this computer plays ({other!r})" if other else " and waiting for what is played"
        said = f"{listening}, {speaking}. Ctrl-C ends."
        console.print(Text.assemble(("Ready. ", "bold green"), said), soft_wrap=True)
        if keys.available:
            console.print(Text(HELP, "dim"), soft_wrap=True)
        console.print(self.whose_voice(verifier), soft_wrap=True)
        telephone = check_headset(heard, spoken) if heard and spoken else None
        if telephone is not None:
            console.print(Text(f"{telephone.problem}; {telephone.advice}.", "yellow"), soft_wrap=True)

    def _page(self, door: Door, recorder: Recorder, player: Player, kept: Kept) -> Page:
        from sottovoce.app.monitor.look import Look
        from sottovoce.app.web.devices import Devices
        from sottovoce.app.web.page import Page, Session

        def look() -> Look:
            return Look(time.monotonic_ns(), player.snapshot_state(), recorder.snapshot_state())

        session = Session(
            self._app.config,
            kept.session_id,
            look=look,
            spent_today=kept.purse.spent_today,
            devices=Devices(player, recorder),
        )
        return Page(session, door)

    def whose_voice(self, verifier: WearerVerifier | None) -> Text:
        """Whether the wearer's own voice is told from others', and what cannot be done if it is not."""
        speaker = self._app.config.speaker
        if verifier is not None:
            return Text(f"Your voice is known ({speaker.profile!r}) and not answered.", "dim")
        if self._app.config.audio.loopback != "off" and speaker.microphone == "wearer":
            return Text("What the microphone hears is taken for yours, and not answered (speaker.microphone).", "dim")
        if speaker.verify:
            why = "Your voice is not known, so your own questions are answered too: `sottovoce enroll`."
            said = Text(why, "yellow")
        else:
            said = Text("Your own questions are answered too: speaker.verify is off.", "dim")
        if self._app.config.turn.advance == "follow":
            missing = 'Nobody can tell when you have said a thesis (turn.advance = "follow"): press n for the next one.'
            said.append(f"\n{missing}", "yellow")
        return said
