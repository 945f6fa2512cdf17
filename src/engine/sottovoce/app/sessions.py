"""Runs a session around a pipeline: what is loaded before, what is written while it lasts, how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

from sottovoce.app.budget import Limits
from sottovoce.app.context import AppContext
from sottovoce.app.health import EngineHealth
from sottovoce.app.inputs import KeptInput
from sottovoce.app.journal import Journal
from sottovoce.app.keys import Keys, controls_of
from sottovoce.app.ledger import Ledger
from sottovoce.app.models import fetch_missing
from sottovoce.app.money import nano_usd
from sottovoce.app.prices import read_prices
from sottovoce.app.purse import Purse
from sottovoce.app.reference import settings as all_settings
from sottovoce.app.settings import Config
from sottovoce.app.versions import versions_in_use
from sottovoce.app.wiring import EAR_SAMPLERATE, Backends, first_generator, open_backends
from sottovoce.assistant.pipeline import Pipeline
from sottovoce.assistant.ports import AudioInput, Observer
from sottovoce.audio.report import StreamReport
from sottovoce.audio.wav import WavWriter
from sottovoce.core.errors import StoreError
from sottovoce.core.secrets import redacted
from sottovoce.session.records import EngineMeasured
from sottovoce.session.store import SessionStore

#: How often (s) the main thread wakes while a pipeline runs, to take a Ctrl-C where the system cannot interrupt a wait.
WAKE_EVERY_S = 0.5

#: How long (s) a session waits at its end for calls that were given up, so that what they cost is noted.
SETTLE_S = 1.0

#: Settings that are remembered with a session though they may be what they are by default.
_REMEMBERED = frozenset(
    ("asr.backend", "asr.language", "llm.backend", "llm.max_theses", "tts.backend", "tts.voice", "tts.speed")
)


def warn(app: AppContext, message: str, hint: str = "") -> None:
    """Say on stderr what is not as it should be, though the session goes on."""
    app.err.print(Text.assemble(("warning: ", "yellow"), message), soft_wrap=True)
    if hint:
        app.err.print(Text.assemble(("hint: ", "cyan"), hint), soft_wrap=True)


@contextmanager
def loaded_backends(app: AppContext, config: Config | None = None) -> Iterator[Backends]:
    """Load everything before the first sound, saying what has been loaded; release it afterwards."""
    done: list[str] = []
    config = config or app.config
    fetch_missing(app, config)
    with app.err.status("loading") as status:

        def say(what: str) -> None:
            done.append(what)
            status.update(f"loading: {', '.join(done)}")

        backends = open_backends(config, say)
    try:
        for warning in backends.warnings:
            warn(app, str(warning))
        yield backends
    finally:
        backends.close()


@dataclass(frozen=True, slots=True)
class Kept:
    """What keeps a session, and pays for it.

    Attributes
    ----------
    purse : Purse
        Pays for the calls of services.
    observers : tuple of Observer
        That write to the store; none if nothing is kept.
    writer : WavWriter or None
        That keeps the sound, if it is wanted.
    session_id : int or None
        Of the session in the store, if it is kept.
    """

    purse: Purse
    observers: tuple[Observer, ...] = ()
    writer: WavWriter | None = None
    session_id: int | None = None
    _note: Callable[[EngineMeasured], None] | None = None
    _healths: list[EngineHealth] = field(default_factory=list)

    def ear(self, source: AudioInput) -> AudioInput:
        """``source``, with its sound kept if that is wanted."""
        return source if self.writer is None else KeptInput(source, self.writer)

    def engine(self, streams: Mapping[str, Callable[[], StreamReport]]) -> tuple[Observer, ...]:
        """Observers that keep how these streams do, by their directions; none if nothing is kept."""
        if self._note is None:
            return ()
        self._healths.append(EngineHealth(streams, self._note))
        return (self._healths[-1],)

    def close(self) -> None:
        """Keep how the streams have done to the end."""
        for health in self._healths:
            health.note()


@contextmanager
def kept_session(app: AppContext, kind: str, notes: str) -> Iterator[Kept]:
    """Keep a session as the settings want it; without a store that works it goes on, with a warning."""
    settings = app.config.session
    prices, limits = read_prices(), limits_of(app.config)
    if not settings.store:
        yield Kept(Purse(prices, limits))
        return
    try:
        store = SessionStore(settings.path, transcripts=settings.transcripts)
    except StoreError as error:
        warn(app, f"this session is not kept: {error.message}", error.hint)
        yield Kept(Purse(prices, limits))
        return
    outcome = "failed"
    with store, ExitStack() as stack:
        started_ns = time.monotonic_ns()
        session_id = store.start_session(kind, notes, _remembered(app), versions_in_use())
        ledger = Ledger(store, session_id)
        journal = Journal(store, session_id, started_ns, ledger, first_generator(app.config))
        purse = Purse(prices, limits, ledger)
        writer = stack.enter_context(_audio_writer(store.audio_file(session_id))) if settings.store_audio else None
        kept = Kept(purse, (journal,), writer, session_id, lambda event: store.append(session_id, event))
        try:
            yield kept
            outcome = "ended"
        except KeyboardInterrupt:
            outcome = "interrupted"
            raise
        finally:
            try:
                kept.close()
                purse.settle(SETTLE_S)
            finally:  # a second Ctrl-C must not take the end away
                store.end_session(session_id, outcome)
    if store.lost:
        warn(app, f"{store.lost} events of this session could not be stored", str(store.failure or ""))


def _remembered(app: AppContext) -> dict[str, object]:
    """Settings that were set, by whatever way, and those that every session is told by; none is a secret."""
    values = {
        key: app.config.get(key)
        for key in all_settings()
        if key in _REMEMBERED or app.loaded.provenance[key].layer != "default"
    }
    return {key: redacted(str(value)) if isinstance(value, str | Path) else value for key, value in values.items()}


def limits_of(config: Config) -> Limits:
    """The budget that the settings set."""
    budget = config.budget
    amounts = (budget.session_warn_usd, budget.session_stop_usd, budget.day_warn_usd, budget.day_stop_usd)
    return Limits(*(None if usd is None else nano_usd(usd) for usd in amounts))


def _audio_writer(file: Path) -> WavWriter:
    """A file that only its owner can reach."""
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.parent.chmod(0o700)
    except OSError as error:
        raise StoreError(
            f"{file.parent} cannot be made: {error.strerror}", path=file, hint="set session.store_audio to false"
        ) from error
    return WavWriter(file, EAR_SAMPLERATE, 1)


@contextmanager
def running(app: AppContext, pipeline: Pipeline) -> Iterator[None]:
    """Start ``pipeline``; whatever happens, it is closed."""
    pipeline.start()
    try:
        yield
    finally:
        hanging = pipeline.close()
        if hanging:
            warn(app, f"still busy at the end: {', '.join(hanging)}")


def wait_until_done(pipeline: Pipeline, keys: Keys | None = None) -> None:
    """Wait until the input has ended and all of it is answered; Ctrl-C ends it, and so does the key q.

    Parameters
    ----------
    keys : Keys, optional
        Of the wearer, done as they are pressed.
    """
    if keys is None:
        while not pipeline.wait(WAKE_EVERY_S):
            pass
        return
    while not pipeline.wait(0.0):
        pressed = keys.wait(WAKE_EVERY_S)
        if "q" in pressed:
            return
        for control in controls_of(pressed):
            pipeline.control(control)
