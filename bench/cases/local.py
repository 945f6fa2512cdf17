"""What our own part of the models on this machine costs: threads, text and cancellation, without the models' own work.

``whisper_overhead_ms_p50``: `transcribe` of a segment of 3 s with a model that answers at once;
``whisper_tiny_ms_p50``: with a tiny one made here. ``silero_overhead_ms_p50``: the first sound of a thesis, less the
package called directly, each measured beside the other; the package is a tiny one made here, too.
``silero_text_ms_p50``: a thesis of ten words with a number, made ready to be said. ``local_cancel_ms_p95``: from
cancelling to the end of the call, while what it waits for goes on; ``whisper_cancel_ms_p95``: the same for a clip of
ten minutes in work.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

import numpy as np

from sottovoce.app.demo import speak_question
from sottovoce.core.cancel import CancelToken
from sottovoce.speech.asr import whisper
from sottovoce.speech.local.worker import Wanted, Worker
from sottovoce.speech.registry import describe
from sottovoce.speech.tts import silero
from sottovoce.speech.tts._silero_text import pieces
from tests.support.silero_package import make_package
from tests.support.whisper_model import make_model

TARGETS = {
    "local_cancel_ms_p95": ("<=", 50.0),
    "whisper_cancel_ms_p95": ("<=", 50.0),
    "whisper_overhead_ms_p50": ("<=", 2.0),
}
OPTIONAL = frozenset({"whisper_cancel_ms_p95", "whisper_overhead_ms_p50"})

PHRASE = "How much does it cost?"
#: How long (s) a clip is in work before it is cancelled.
_A_WHILE_S = 0.3

THESIS = "The battery lasts 24 months on a single coin cell"


def run(quick: bool) -> dict[str, float]:
    """Measure what is installed."""
    rounds = 15 if quick else 60
    figures = _cancel(rounds)
    with tempfile.TemporaryDirectory(prefix="sottovoce-") as folder, ExitStack() as stack:
        if not describe("asr", "whisper").missing:
            figures |= _whisper(Path(folder), rounds, stack)
        if not describe("tts", "silero").missing:
            figures |= _silero(Path(folder), rounds, stack)
    return figures


def _cancel(rounds: int) -> dict[str, float]:
    times: list[float] = []
    for _ in range(rounds):
        begun, go = threading.Event(), threading.Event()

        def work(wanted: Wanted, begun: threading.Event = begun, go: threading.Event = go) -> Iterator[int]:
            begun.set()
            go.wait()
            yield 1

        with closing(Worker[int]("local")) as worker:
            times.append(
                _until_given_up(lambda cancel, worker=worker, work=work: list(worker.stream(work, cancel, 60.0)), begun)
            )
            go.set()
    return {"local_cancel_ms_p95": 1000 * float(np.quantile(times, 0.95))}


def _whisper(folder: Path, rounds: int, stack: ExitStack) -> dict[str, float]:
    model = make_model(folder / "whisper", PHRASE)
    recognizer = stack.enter_context(closing(whisper.open(model=str(model), device="cpu", deadline_s=60.0)))
    spoken = speak_question(PHRASE)
    clip = np.concatenate([spoken, np.zeros(max(0, 48_000 - len(spoken)), np.float32)])
    inference, _ = _beside(rounds, lambda: recognizer.transcribe(clip, CancelToken()), lambda: None)
    long = np.tile(clip, 200)
    never = threading.Event()
    cancels = [_until_given_up(lambda cancel: recognizer.transcribe(long, cancel), never) for _ in range(rounds)]
    recognizer._shared().transcribe = lambda audio, **options: iter(())  # type: ignore[method-assign]
    alone, _ = _beside(rounds, lambda: recognizer.transcribe(clip, CancelToken()), lambda: None)
    return {
        "whisper_overhead_ms_p50": median(alone),
        "whisper_tiny_ms_p50": median(inference),
        "whisper_cancel_ms_p50": 1000 * median(cancels),
        "whisper_cancel_ms_p95": 1000 * float(np.quantile(cancels, 0.95)),
    }


def _until_given_up(call: Callable[[CancelToken], object], begun: threading.Event) -> float:
    """Seconds from cancelling a call to its end, once it has begun, or after a while."""
    cancel, ended = CancelToken(), []

    def work() -> None:
        call(cancel)
        ended.append(time.perf_counter())

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(_A_WHILE_S)
    cancelled = time.perf_counter()
    cancel.cancel()
    thread.join()
    return ended[0] - cancelled


def _silero(folder: Path, rounds: int, stack: ExitStack) -> dict[str, float]:
    files = {f"{language}_model": str(make_package(folder / f"{language}.pt", language)) for language in ("ru", "en")}
    synthesizer = stack.enter_context(closing(silero.open(**files, deadline_s=60.0)))
    synthesizer.warm()
    package = synthesizer._packages["en"]
    text = next(pieces(THESIS, "en"))
    ours, theirs = _beside(
        rounds,
        lambda: next(iter(synthesizer.synthesize(THESIS, "en", CancelToken()))),
        lambda: package.speak(text, "en_0", 1.35, 48_000),
    )
    texts, _ = _beside(rounds, lambda: list(pieces(THESIS, "en")), lambda: None)
    return {"silero_overhead_ms_p50": median(ours) - median(theirs), "silero_text_ms_p50": median(texts)}


def _beside(rounds: int, first: Callable[[], object], second: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Times (ms) of two calls, one after the other in each round."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, taken in zip((first, second), times, strict=True):
            begun = time.perf_counter()
            call()
            taken.append(1000 * (time.perf_counter() - begun))
    return times
