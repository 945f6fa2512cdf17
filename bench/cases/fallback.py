"""What a failing service costs the wearer, and what a kept connection saves.

The real clients against the emulator on this machine, which answers at once; what is measured is our own part.

``<failure>_added_ms``: from the moment at which Gemini has failed (its own answer, or our deadline) to the first thesis
of OpenAI, less what OpenAI takes alone; each measured beside the other. The failures: ``error`` is a 503, ``silent``
keep-alive only until the deadline, ``stalls`` and ``cut`` come after the first line of an answer.
``fallback_added_ms_p95`` is the worst of them.

``cancel_ms_p95``: from cancelling an answer to the closing of its connection, as the server sees it.

``prewarmed_first_call_ratio``: the first call after a minute in which nothing was asked (6 s if quick; the clients' own
limit is 5 s) over a call on a warm connection, where a new connection takes 100 ms and an answer 50;
``cold_first_call_ratio`` is the same with nothing warmed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from statistics import median

import numpy as np

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.speech.fallback.health import Health
from sottovoce.speech.fallback.llm import FallbackGenerator
from sottovoce.speech.llm.base import Generator, Question
from sottovoce.speech.registry import open_generator
from tests.emulator import Does, Emulator

TARGETS = {
    "fallback_added_ms_p95": ("<=", 200.0),
    "cancel_ms_p95": ("<=", 50.0),
    "prewarmed_first_call_ratio": ("<=", 1.2),
}

THESES = ("On the third of June", "First in Europe", "Then everywhere")
QUESTION = Question("when do we launch", "en", 3)
DEADLINE_S = 0.3
#: In the answer, the first line is over after so many pieces of the emulator's.
FIRST_LINE = 6

FAILURES = {
    "error": Does(status=503, delay_s=0.05),
    "silent": Does(comments_s=60.0),
    "stalls": Does(stall_after=FIRST_LINE),
    "cut": Does(cut_after=FIRST_LINE),
}

HANDSHAKE_S, ANSWER_S = 0.1, 0.05
#: Clients of each service that are left idle at the same time; their median counts.
CLIENTS = 7


def run(quick: bool) -> dict[str, float]:
    """Measure every failure, cancellation, and connections left idle."""
    figures: dict[str, float] = {}
    for failure, does in FAILURES.items():
        figures[f"{failure}_added_ms_p95"] = float(np.percentile(_added_ms(does, 10 if quick else 60), 95))
    figures["fallback_added_ms_p95"] = max(figures.values())
    figures["cancel_ms_p95"] = float(np.percentile(_cancel_ms(10 if quick else 60), 95))
    return figures | _first_calls(6.0 if quick else 60.0)


def _added_ms(does: Does, rounds: int) -> list[float]:
    added = []
    with _services() as (emulator, first, second):
        for _ in range(rounds):
            emulator.script("gemini", does)
            failed_s = _until_failure(first)
            alone_s = _until_line(second, 1)
            emulator.script("gemini", does)
            both = FallbackGenerator([first, second], Health("llm", [first.name, second.name]))
            # the line that Gemini still gave is not what is waited for
            both_s = _until_line(both, 2 if does.status == 200 and not does.comments_s else 1)
            added.append(1000 * (both_s - failed_s - alone_s))
    return added


def _cancel_ms(rounds: int) -> list[float]:
    taken = []
    with _services() as (emulator, _, generator):
        before = len(emulator.made("chat"))
        for number in range(before + 1, before + rounds + 1):
            emulator.script("chat", Does(stall_after=3))
            cancel = CancelToken()
            stream = iter(generator.generate(QUESTION, cancel))
            next(stream)
            began_s = time.monotonic()
            threading.Thread(target=cancel.cancel, name="canceller").start()
            assert list(stream) == []
            request = emulator.wait_for("chat", number)
            assert request.gone.wait(10.0)
            taken.append(1000 * (request.gone_at - began_s))
    return taken


def _first_calls(idle_s: float) -> dict[str, float]:
    with Emulator(handshake_s=HANDSHAKE_S) as emulator, ExitStack() as stack:
        emulator.knows[QUESTION.text] = THESES
        address = {"gemini": emulator.url, "openai": emulator.openai_url}

        def opened(name: str) -> list[Generator]:
            each = [open_generator(name, base_url=address[name]) for _ in range(CLIENTS)]
            for generator in each:
                stack.callback(generator.close)
            return each

        def call(generator: Generator) -> float:
            emulator.script("chat" if generator.name == "openai" else generator.name, Does(delay_s=ANSWER_S))
            return _until_line(generator, 1)

        clients = {name: opened(name) for name in address}
        for generator in chain.from_iterable(clients.values()):
            generator.warm()
        warm = {name: median(call(each) for each in several for _ in range(3)) for name, several in clients.items()}
        threading.Event().wait(idle_s)
        kept = {name: median(map(call, several)) / warm[name] for name, several in clients.items()}
        cold = {name: median(map(call, opened(name))) / warm[name] for name in address}
    return {
        "prewarmed_first_call_ratio": max(kept.values()),
        "cold_first_call_ratio": min(cold.values()),
        "idle_s": idle_s,
    }


@contextmanager
def _services() -> Iterator[tuple[Emulator, Generator, Generator]]:
    """The emulator, Gemini and OpenAI, warm."""
    limits = {"first_token_s": DEADLINE_S, "stall_s": DEADLINE_S}
    patience = {"first_token_s": 30.0, "stall_s": 30.0}  # a busy machine is no failure of the second
    with (
        Emulator() as emulator,
        closing(open_generator("gemini", base_url=emulator.url, **limits)) as gemini,
        closing(open_generator("openai", base_url=emulator.openai_url, **patience)) as openai,
    ):
        emulator.knows[QUESTION.text] = THESES
        for generator in (gemini, openai):
            generator.warm()
            _until_line(generator, 1)
        yield emulator, gemini, openai


def _until_line(generator: Generator, wanted: int) -> float:
    """Seconds from the question to the end of the line number ``wanted``; the answer is read to its end."""
    seen, at_s = 0, 0.0
    began_s = time.perf_counter()
    for delta in generator.generate(QUESTION, CancelToken()):
        seen += delta.text.count("\n")
        if seen >= wanted and not at_s:
            at_s = time.perf_counter() - began_s
    assert at_s, f"there were only {seen} lines"
    return at_s


def _until_failure(generator: Generator) -> float:
    began_s = time.perf_counter()
    try:
        list(generator.generate(QUESTION, CancelToken()))
    except BackendError:
        return time.perf_counter() - began_s
    raise AssertionError("it did not fail")
