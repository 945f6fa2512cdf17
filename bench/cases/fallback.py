"""What a failing service costs the wearer, and what a kept connection saves.

The real clients against the emulator on this machine, which answers at once; what is measured is our own part.

``<kind>_<failure>_added_ms_p95``: from the moment at which the first service has failed (its own answer, or our
deadline) to the first thesis, words or sound of the next one, less what that one takes alone; each measured beside the
other. Theses come from Gemini, then OpenAI; words from OpenAI's socket, then a recogniser that takes no time; speech
from Google's streamed and whole voices, then OpenAI. The failures: ``error`` is a 503, ``silent`` keep-alive only, or
nothing, until the deadline, ``stalls`` and ``cut`` come in the middle. ``fallback_added_ms_p95`` is the worst of them.

``<kind>_cancel_ms_p95``: from cancelling a call to the end of its stream, as the server sees it; ``cancel_ms_p95`` is
the worst of them.

``<service>_own_ms_p50``: the first thesis, words or sound of a service that answers at once, on a warm connection;
``transcription_own_ms_p50`` is a segment that is sent to OpenAI as a whole, to all of its words.

``<kind>_prewarmed_ratio``: the first call after a minute in which nothing was asked (6 s if quick; the clients' own
limit is 5 s) over a call on a warm connection, where a new connection takes 100 ms and an answer 50;
``prewarmed_first_call_ratio`` is the worst of them, ``cold_first_call_ratio`` the best with nothing warmed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from sottovoce.audio.resampler import Resampler
from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.fallback.asr import recognizer_chain
from sottovoce.speech.fallback.health import Health
from sottovoce.speech.fallback.llm import FallbackGenerator
from sottovoce.speech.fallback.tts import FallbackSynthesizer
from sottovoce.speech.llm.base import Question
from sottovoce.speech.registry import open_generator, open_recognizer, open_synthesizer
from tests.emulator import Does, Emulator

TARGETS = {
    "fallback_added_ms_p95": ("<=", 200.0),
    "cancel_ms_p95": ("<=", 50.0),
    "prewarmed_first_call_ratio": ("<=", 1.2),
}

THESES = ("On the third of June", "First in Europe", "Then everywhere")
QUESTION = Question("when do we launch", "en", 3)
CLIP = (0.1 * np.random.default_rng(1).standard_normal(16_000)).astype(np.float32)
WORDS = "when do we launch"
DEADLINE_S, PATIENCE_S = 0.3, 30.0

HANDSHAKE_S, ANSWER_S = 0.1, 0.05
#: Clients of each service that are left idle at the same time; their median counts.
CLIENTS = 7

#: Steps of an answer: asked a backend, the times (s) at which each useful part of the answer was there.
Steps = Callable[[Any, CancelToken], Iterator[float]]


@dataclass(frozen=True, eq=False)
class Kind:
    """A service that fails, how it is asked, and who stands in for it.

    Attributes
    ----------
    name, route : str
        In the figures, and for the emulator.
    failures : dict
        What the emulator does, and how many useful parts come before.
    opened : callable
        Opens the backend with a deadline (s).
    chain : callable
        The backend with the one that stands in for it; and that one, or None if it takes no time.
    steps : Steps
        Asks.
    second_name : str
        Of the one that stands in, in the figures.
    """

    name: str
    route: str
    failures: dict[str, tuple[Does, int]]
    opened: Callable[[Emulator, float], Any]
    chain: Callable[[Any, Any], Any]
    second: Callable[[Emulator], Any] | None
    steps: Steps
    second_name: str = ""


def run(quick: bool) -> dict[str, float]:
    """Measure every failure, cancellation, and connections left idle."""
    rounds = 10 if quick else 60
    added, cancelled, own = {}, {}, {}
    for kind in KINDS:
        for failure in kind.failures:
            figure = float(np.percentile(_added_ms(kind, failure, rounds), 95))
            added[f"{kind.name}_{failure}_added_ms_p95"] = figure
        cancelled[f"{kind.name}_cancel_ms_p95"] = float(np.percentile(_cancel_ms(kind, rounds), 95))
        own |= _own_ms(kind, rounds)
    own["transcription_own_ms_p50"] = _transcription_ms(rounds)
    worst = {"fallback_added_ms_p95": max(added.values()), "cancel_ms_p95": max(cancelled.values())}
    return added | cancelled | own | worst | _first_calls(6.0 if quick else 60.0)


def _added_ms(kind: Kind, failure: str, rounds: int) -> list[float]:
    does, before = kind.failures[failure]
    added = []
    with _services(kind, DEADLINE_S) as (emulator, first, second):
        for _ in range(rounds):
            emulator.script(kind.route, does)
            failed_s = _until_failure(kind, first)
            alone_s = 0.0 if second is None else _until(kind, second, 1)
            emulator.script(kind.route, does)
            both_s = _until(kind, kind.chain(first, second), before + 1)
            added.append(1000 * (both_s - failed_s - alone_s))
    return added


def _cancel_ms(kind: Kind, rounds: int) -> list[float]:
    taken = []
    with _services(kind, PATIENCE_S) as (emulator, generator, _):
        before = len(emulator.made(kind.route))
        for number in range(before + 1, before + rounds + 1):
            emulator.script(kind.route, Does(delay_s=60.0))
            cancel = CancelToken()
            worker = threading.Thread(target=lambda cancel=cancel: list(kind.steps(generator, cancel)), name="asker")
            worker.start()
            request = emulator.wait_for(kind.route, number)
            began_s = time.monotonic()
            cancel.cancel()
            assert request.gone.wait(10.0)
            worker.join()
            taken.append(1000 * (request.gone_at - began_s))
    return taken


def _own_ms(kind: Kind, rounds: int) -> dict[str, float]:
    with _services(kind, PATIENCE_S) as (_, first, second):
        names = {kind.name: first, kind.second_name: second}
        return {
            f"{name}_own_ms_p50": 1000 * median(_until(kind, backend, 1) for _ in range(rounds))
            for name, backend in names.items()
            if backend is not None
        }


def _transcription_ms(rounds: int) -> float:
    with Emulator() as emulator:
        emulator.hear = _hear
        with closing(open_recognizer("openai", base_url=emulator.openai_url, first_word_s=PATIENCE_S)) as recognizer:
            recognizer.warm()
            taken_s = []
            for _ in range(rounds + 1):
                began_s = time.perf_counter()
                assert recognizer.transcribe(CLIP, CancelToken()).text == WORDS
                taken_s.append(time.perf_counter() - began_s)
        return 1000 * median(taken_s[1:])  # the first one loads what calls need


def _first_calls(idle_s: float) -> dict[str, float]:
    with Emulator(handshake_s=HANDSHAKE_S) as emulator, ExitStack() as stack:
        emulator.knows[QUESTION.text] = THESES
        emulator.hear = _hear

        def opened(kind: Kind) -> list[Any]:
            return [stack.enter_context(closing(kind.opened(emulator, PATIENCE_S))) for _ in range(CLIENTS)]

        def call(kind: Kind, backend: Any) -> float:
            emulator.script(kind.route, Does(delay_s=ANSWER_S))
            return _until(kind, backend, 1)

        clients = {kind: opened(kind) for kind in KINDS}
        for backend in [each for several in clients.values() for each in several]:
            backend.warm()
        warm = {
            kind: median(call(kind, each) for each in several for _ in range(3)) for kind, several in clients.items()
        }
        threading.Event().wait(idle_s)
        kept = {
            f"{kind.name}_prewarmed_ratio": median(call(kind, each) for each in several) / warm[kind]
            for kind, several in clients.items()
        }
        cold = [median(call(kind, each) for each in opened(kind)) / warm[kind] for kind in KINDS]
    worst = {"prewarmed_first_call_ratio": max(kept.values()), "cold_first_call_ratio": min(cold), "idle_s": idle_s}
    return kept | worst


@contextmanager
def _services(kind: Kind, deadline_s: float) -> Iterator[tuple[Emulator, Any, Any]]:
    """The emulator, the service and the one that stands in for it, warm."""
    with Emulator() as emulator, ExitStack() as stack:
        emulator.knows[QUESTION.text] = THESES
        emulator.hear = _hear
        first = stack.enter_context(closing(kind.opened(emulator, deadline_s)))
        second = None if kind.second is None else stack.enter_context(closing(kind.second(emulator)))
        for backend in (first, second):
            if backend is not None:
                backend.warm()
                _until(kind, backend, 1)
        yield emulator, first, second


def _until(kind: Kind, backend: Any, wanted: int) -> float:
    """Seconds until the part number ``wanted`` of an answer; it is read to its end."""
    at_s = list(kind.steps(backend, CancelToken()))
    assert len(at_s) >= wanted, f"there were only {len(at_s)} parts"
    return at_s[wanted - 1]


def _until_failure(kind: Kind, backend: Any) -> float:
    began_s = time.perf_counter()
    try:
        list(kind.steps(backend, CancelToken()))
    except BackendError:
        return time.perf_counter() - began_s
    raise AssertionError("it did not fail")


def _lines(generator: Any, cancel: CancelToken) -> Iterator[float]:
    began_s = time.perf_counter()
    for delta in generator.generate(QUESTION, cancel):
        for _ in range(delta.text.count("\n")):
            yield time.perf_counter() - began_s


def _sounds(synthesizer: Any, cancel: CancelToken) -> Iterator[float]:
    began_s = time.perf_counter()
    for _ in synthesizer.synthesize(THESES[0], "en", cancel):
        yield time.perf_counter() - began_s


def _transcripts(recognizer: Any, cancel: CancelToken) -> Iterator[float]:
    """From the end of the segment."""
    with closing(recognizer.listen(lambda transcript: None)) as stream:
        stream.feed(CLIP)
        began_s = time.perf_counter()
        stream.finish(cancel)
        yield time.perf_counter() - began_s


def _hear(samples: Any, samplerate: int) -> str:
    return WORDS


class _Spare:
    """A recogniser that takes no time."""

    name, samplerate = "spare", 16_000

    def transcribe(self, audio: Any, cancel: CancelToken) -> Transcript:
        return Transcript(WORDS, "en", None, self.name)


def _generators(first: Any, second: Any) -> Any:
    return FallbackGenerator([first, second], Health("llm", [first.name, second.name]))


def _recognizers(first: Any, second: Any) -> Any:
    spare: Any = _Spare()
    return recognizer_chain([first, spare], Health("asr", [first.name, spare.name]))


def _synthesizers(first: Any, second: Any) -> Any:
    converter: Any = Resampler
    return FallbackSynthesizer([first, second], Health("tts", [first.name, second.name]), converter)


def _voice(name: str) -> Callable[[Emulator, float], Any]:
    def opened(emulator: Emulator, deadline_s: float) -> Any:
        limits = {"first_sound_s": deadline_s, "stall_s": deadline_s}
        return open_synthesizer("google", base_url=emulator.google_url, voice=name, **limits)

    return opened


def _openai_voice(emulator: Emulator) -> Any:
    return open_synthesizer("openai", base_url=emulator.openai_url, first_sound_s=PATIENCE_S, stall_s=PATIENCE_S)


def _failures(silent: Does, middle: int, before: int) -> dict[str, tuple[Does, int]]:
    """``middle`` pieces of the emulator's make ``before`` useful parts."""
    return {
        "error": (Does(status=503, delay_s=0.05), 0),
        "silent": (silent, 0),
        "stalls": (Does(stall_after=middle), before),
        "cut": (Does(cut_after=middle), before),
    }


_VOICE = {"chain": _synthesizers, "second": _openai_voice, "steps": _sounds, "second_name": "openai_voice"}

KINDS = (
    Kind(
        "gemini",
        "gemini",
        _failures(Does(comments_s=60.0), 6, 1),  # in the answer, the first line is over after so many pieces
        lambda emulator, limit_s: open_generator(
            "gemini", base_url=emulator.url, first_token_s=limit_s, stall_s=limit_s
        ),
        _generators,
        lambda emulator: open_generator(
            "openai", base_url=emulator.openai_url, first_token_s=PATIENCE_S, stall_s=PATIENCE_S
        ),
        _lines,
        "openai",
    ),
    Kind(
        "socket",
        "segment",
        _failures(Does(comments_s=60.0), 2, 0),
        lambda emulator, limit_s: open_recognizer(
            "openai",
            base_url=emulator.openai_url,
            model="gpt-4o-transcribe",
            realtime="on",
            first_word_s=limit_s,
            stall_s=limit_s,
        ),
        _recognizers,
        None,
        _transcripts,
    ),
    Kind("chirp", "google-stream", _failures(Does(delay_s=60.0), 1, 1), _voice("en-US-Chirp3-HD-Kore"), **_VOICE),
    Kind("wavenet", "google", _failures(Does(delay_s=60.0), 0, 0), _voice("en-US-Wavenet-D"), **_VOICE),
)
