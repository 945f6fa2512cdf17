"""``sottovoce monitor``: devices, terminal and time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sottovoce.app.context import AppContext, setting_option
from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.terminal import end_on_terminate
from sottovoce.core.errors import DeviceNotFoundError

if TYPE_CHECKING:
    from sottovoce.app.monitor.look import Look
    from sottovoce.app.monitor.verdict import Problem
    from sottovoce.audio.player import Player
    from sottovoce.audio.recorder import Recorder
    from sottovoce.core.threads import ThreadGroup

#: Seconds from one look to the next.
LOOK_S = 0.1

#: How long `--once` looks, in seconds: long enough to tell a silent microphone.
ONCE_S = 1.5

#: What is said of the keys.
KEYS_HELP = "q quits, c clears peaks"

#: Messages of the engine that stay in sight.
MESSAGES = 3

#: How long the threads that play and listen may take to end, in seconds.
JOIN_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """What is opened, what is played, and how it is shown."""

    play: Path | None = None
    tone_hz: float | None = None
    through: bool = False
    for_s: float | None = None
    once: bool = False
    as_json: bool = False
    no_input: bool = False
    no_output: bool = False

    def __post_init__(self) -> None:
        sounds = {"--play": self.play is not None, "--tone": self.tone_hz is not None, "--through": self.through}
        given = [name for name, wanted in sounds.items() if wanted]
        if len(given) > 1:
            raise click.UsageError(f"{' and '.join(given)} exclude one another")
        if given and self.no_output:
            raise click.UsageError(f"{given[0]} needs the output that --no-output leaves closed")
        if self.through and self.no_input:
            raise click.UsageError("--through needs the input that --no-input leaves closed")
        if self.no_input and self.no_output:
            raise click.UsageError("--no-input and --no-output leave nothing to watch")

    @property
    def ends_after_s(self) -> float | None:
        """When it ends by itself, in seconds."""
        return self.for_s if self.for_s is not None or not self.once else ONCE_S

    @property
    def playing(self) -> str:
        """What is played, in words."""
        if self.play is not None:
            return self.play.name
        if self.tone_hz is not None:
            return f"a tone of {self.tone_hz:g} Hz"
        return "what the microphone hears" if self.through else "nothing" if self.no_output else "silence"


@click.command("monitor")
@setting_option("--input", key="audio.input", metavar="DEVICE", help="Microphone: id, name or a part of it.")
@setting_option("--output", key="audio.output", metavar="DEVICE", help="Earpiece: id, name or a part of it.")
@click.option("--play", type=click.Path(path_type=Path), metavar="FILE", help="Play a recording, over and over.")
@click.option(
    "--tone", "tone_hz", type=click.FloatRange(20, 20_000), metavar="HZ", help="Play a quiet tone, 20 to 20000 Hz."
)
@click.option("--through", is_flag=True, help="Play what the microphone hears. Use headphones: it howls otherwise.")
@click.option("--no-input", is_flag=True, help="Leave the microphone closed.")
@click.option("--no-output", is_flag=True, help="Leave the earpiece closed.")
@click.option(
    "--for", "for_s", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End after so long."
)
@click.option("--once", is_flag=True, help="Show one picture, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object every second, one on a line.")
@click.pass_context
def command(context: click.Context, /, **options: object) -> None:
    """Watch the audio engine: is it healthy, and what is wrong if it is not.

    Opens microphone and earpiece as `live` does and shows levels, buffers, how long the callbacks take, and everything
    that is lost, ten times a second; where nobody looks, a line every second. q or Ctrl-C ends it. With --once or --for
    it ends with 9 if sound was lost.
    """
    app = context.ensure_object(AppContext)
    end_on_terminate()
    monitor = Monitor(app, Options(**options))  # type: ignore[arg-type]
    try:
        context.exit(monitor.run())
    except KeyboardInterrupt:
        if not monitor.ready:  # once it is ready, Ctrl-C is how it ends
            raise


class Monitor:
    """From opening the devices to the end; ``ready`` is true once both are open."""

    def __init__(self, app: AppContext, options: Options) -> None:
        self.ready = False
        self._app, self._options = app, options

    def run(self) -> ExitCode:
        """Open everything, and watch until it ends by itself or somebody ends it."""
        from sottovoce.app.keys import Keys
        from sottovoce.app.logs import LastMessages
        from sottovoce.app.monitor.scene import Watcher
        from sottovoce.app.monitor.shows import choose_show, draws_live
        from sottovoce.app.monitor.verdict import Health

        app, options = self._app, self._options
        live = draws_live(app.console, options)
        with ExitStack() as stack:
            player, recorder = self._open(stack)
            keys = stack.enter_context(Keys(wanted=live))
            messages = LastMessages(MESSAGES)
            if live:
                stack.enter_context(messages)
            told = KEYS_HELP if keys.available else "Ctrl-C quits"
            watcher = Watcher(options.playing, told if live else "", _found(player, recorder))
            show = stack.enter_context(choose_show(app.console, options))
            self.ready = True
            ends_s = time.monotonic() + options.ends_after_s if options.ends_after_s is not None else None
            unhealthy, pressed = False, ""
            while "q" not in pressed:
                if "c" in pressed:
                    watcher.clear()
                scene = watcher.see(_look(player, recorder), messages.lines)
                show(scene)
                unhealthy = unhealthy or scene.verdict.health is Health.BAD
                left_s = LOOK_S if ends_s is None else ends_s - time.monotonic()
                if left_s <= 0.0:
                    return ExitCode.UNHEALTHY if unhealthy else ExitCode.OK
                pressed = keys.wait(min(LOOK_S, left_s))
        return ExitCode.OK

    def _open(self, stack: ExitStack) -> tuple[Player | None, Recorder | None]:
        """Open what is wanted, and start who plays and who listens; all of it ends with ``stack``."""
        from sottovoce.app.wiring import connect_reflex, open_player, open_recorder
        from sottovoce.audio.files import AudioFile
        from sottovoce.core.threads import ThreadGroup

        options, config = self._options, self._app.config
        if options.play is not None:
            AudioFile(options.play).close()  # what cannot be read is told before a device is opened
        threads = ThreadGroup(lambda error: None)  # logged by the group; the picture goes on
        stack.callback(threads.join, JOIN_LIMIT_S)
        with _may_be_left_closed("--no-input"):
            recorder = (
                stack.enter_context(open_recorder(config, prompt=options.through)) if not options.no_input else None
            )
        with _may_be_left_closed("--no-output"):
            player = stack.enter_context(open_player(config)) if not options.no_output else None
        if player is not None and recorder is not None and not options.through:  # or it would yield to itself
            connect_reflex(config, player, recorder)
        if player is not None:
            self._play(player, threads)
        if recorder is not None:
            self._listen(recorder, player, threads)
        return player, recorder

    def _play(self, player: Player, threads: ThreadGroup) -> None:
        from sottovoce.app.monitor.sound import feed, over_and_over, tone
        from sottovoce.app.wiring import open_voice

        options, samplerate = self._options, player.mixer.samplerate
        if options.play is not None:
            chunks = over_and_over(options.play, samplerate)
        elif options.tone_hz is not None:
            chunks = tone(options.tone_hz, samplerate)
        else:
            return
        voice = open_voice(self._app.config, player, samplerate)
        threads.start("monitor-voice", lambda: feed(voice, chunks))

    def _listen(self, recorder: Recorder, player: Player | None, threads: ThreadGroup) -> None:
        from sottovoce.app.monitor.sound import Through, listen
        from sottovoce.app.wiring import VOICE_PREBUFFER_S, open_voice

        take = None
        if self._options.through and player is not None:
            voice = open_voice(self._app.config, player, player.mixer.samplerate)
            take = Through(recorder, voice, VOICE_PREBUFFER_S).take
        threads.start("monitor-ear", lambda: listen(recorder, take))


@contextmanager
def _may_be_left_closed(option: str) -> Iterator[None]:
    """Tell whoever has no such device that the other one can be watched alone."""
    try:
        yield
    except DeviceNotFoundError as error:
        error.hint += f"; {option} leaves it closed"
        raise


def _found(player: Player | None, recorder: Recorder | None) -> tuple[Problem, ...]:
    """What can be told of the devices once both are open."""
    from sottovoce.app.monitor.verdict import headset_problem
    from sottovoce.audio.afresh import check_headset

    if player is None or recorder is None:
        return ()
    heard, spoken = recorder.stream_report().device, player.snapshot_state().stream.device
    telephone = check_headset(heard, spoken) if heard and spoken else None
    return (headset_problem(telephone),) if telephone is not None else ()


def _look(player: Player | None, recorder: Recorder | None) -> Look:
    from sottovoce.app.monitor.look import Look

    return Look(
        time.monotonic_ns(),
        player.snapshot_state() if player is not None else None,
        recorder.snapshot_state() if recorder is not None else None,
    )
