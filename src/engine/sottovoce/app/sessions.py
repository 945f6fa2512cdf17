"""Runs a session around a pipeline: what is loaded before, what is written while it lasts, how it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.text import Text

from sottovoce.app.context import AppContext
from sottovoce.app.journal import Journal
from sottovoce.app.settings import Config
from sottovoce.app.wiring import Backends, open_backends
from sottovoce.assistant.pipeline import Pipeline
from sottovoce.assistant.ports import Observer
from sottovoce.core.errors import StoreError
from sottovoce.session.store import SessionStore

#: How often (s) the main thread wakes while a pipeline runs, to take a Ctrl-C where the system cannot interrupt a wait.
WAKE_EVERY_S = 0.5

#: Settings worth remembering with a session.
_REMEMBERED = ("asr.backend", "asr.language", "llm.backend", "llm.max_theses", "tts.backend", "tts.voice", "tts.speed")


def warn(app: AppContext, message: str, hint: str = "") -> None:
    """Say on stderr what is not as it should be, though the session goes on."""
    app.err.print(Text.assemble(("warning: ", "yellow"), message), soft_wrap=True)
    if hint:
        app.err.print(Text.assemble(("hint: ", "cyan"), hint), soft_wrap=True)


@contextmanager
def loaded_backends(app: AppContext, config: Config | None = None) -> Iterator[Backends]:
    """Load everything before the first sound, saying what has been loaded; release it afterwards."""
    done: list[str] = []
    with app.err.status("loading") as status:

        def say(what: str) -> None:
            done.append(what)
            status.update(f"loading: {', '.join(done)}")

        backends = open_backends(config or app.config, say)
    try:
        for warning in backends.warnings:
            warn(app, str(warning))
        yield backends
    finally:
        backends.close()


@contextmanager
def kept_session(app: AppContext, kind: str, notes: str) -> Iterator[tuple[Observer, ...]]:
    """The observers that keep a session; none if nothing is to be kept, or the store does not work."""
    settings = app.config.session
    if not settings.store:
        yield ()
        return
    try:
        store = SessionStore(settings.path, transcripts=settings.transcripts)
    except StoreError as error:
        warn(app, f"this session is not kept: {error.message}", error.hint)
        yield ()
        return
    outcome = "failed"
    with store:
        started_ns = time.monotonic_ns()
        session_id = store.start_session(kind, notes, {key: app.config.get(key) for key in _REMEMBERED})
        try:
            yield (Journal(store, session_id, started_ns),)
            outcome = "ended"
        except KeyboardInterrupt:
            outcome = "interrupted"
            raise
        finally:
            store.end_session(session_id, outcome)
    if store.lost:
        warn(app, f"{store.lost} events of this session could not be stored", str(store.failure or ""))


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


def wait_until_done(pipeline: Pipeline) -> None:
    """Wait until the input has ended and all of it is answered; Ctrl-C ends it."""
    while not pipeline.wait(WAKE_EVERY_S):
        pass
