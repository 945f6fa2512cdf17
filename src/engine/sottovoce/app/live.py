"""`sottovoce live`: microphone and earpiece."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, closing
from types import FrameType

import click
from rich.text import Text

from sottovoce.app.context import AppContext, setting_option


@click.command("live")
@setting_option("--notes", key="notes.path", metavar="DIR", help="Your notes: a folder of Markdown, or one file.")
@setting_option("--input", key="audio.input", metavar="DEVICE", help="Microphone: id, name or a part of it.")
@setting_option("--output", key="audio.output", metavar="DEVICE", help="Earpiece: id, name or a part of it.")
@click.pass_obj
def command(app: AppContext) -> None:
    """Listen to the microphone, and speak the key points of each answer into the earpiece.

    Everything is loaded before it says that it is ready. Ctrl-C ends it. The people around you may have to agree to
    being transcribed; nothing leaves this machine with the offline parts.
    """
    from sottovoce.app.inputs import MicrophoneInput
    from sottovoce.app.sessions import kept_session, loaded_backends, running, wait_until_done
    from sottovoce.app.show import Screen
    from sottovoce.app.wiring import make_pipeline, open_player, open_recorder, open_voice

    _end_on_terminate()
    config = app.config
    with ExitStack() as stack:
        # devices first: whoever forgot to plug in need not wait for models
        recorder = stack.enter_context(open_recorder(config))
        player = stack.enter_context(open_player(config))
        backends = stack.enter_context(loaded_backends(app))
        voice = stack.enter_context(closing(open_voice(config, player, backends.synthesizer.samplerate)))
        kept = stack.enter_context(kept_session(app, "live", str(config.notes.path)))
        screen = Screen(app.console, realtime=True, keep=False)
        pipeline = make_pipeline(
            config, backends, kept.ear(MicrophoneInput(recorder)), voice, (screen, *kept.observers), lossless=False
        )
        heard, spoken = recorder.snapshot_state(), player.snapshot_state()
        app.console.print(
            Text.assemble(
                ("Ready. ", "bold green"),
                f"Listening to {heard.stream.device!r}, speaking to {spoken.stream.device!r}. Ctrl-C ends.",
            ),
            soft_wrap=True,
        )
        stack.enter_context(screen)
        stack.enter_context(running(app, pipeline))
        try:
            wait_until_done(pipeline)
        except KeyboardInterrupt:
            return


def _end_on_terminate() -> None:
    """Let SIGTERM end a session as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)
