"""A session of scripted parts, measured as a live one is: engine, turns, backends, money and queues."""

from __future__ import annotations

import threading
import urllib.request
from contextlib import ExitStack
from datetime import datetime
from typing import Self

import numpy as np

from sottovoce.app.budget import Limits
from sottovoce.app.measured import Measured
from sottovoce.app.metering.session import SessionMeter
from sottovoce.app.prices import read_prices
from sottovoce.app.purse import Purse, Work
from sottovoce.assistant.notices import Notice, Speculated
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.audio.output import DeviceOutput
from sottovoce.audio.player import Player
from sottovoce.audio.recorder import Recorder
from sottovoce.core.clock import MonotonicClock
from sottovoce.metrics.registry import Reading, Registry
from sottovoce.metrics.server import MetricsServer
from sottovoce.speech.speaker import NotEnrolled
from sottovoce.speech.usage import Usage
from tests.audio.fakes import FakeHost
from tests.support.fakes import (
    ListGenerator,
    Notebook,
    PausingSegmenter,
    ScriptedInput,
    SteppedOutput,
    ToneSynthesizer,
    WordRecognizer,
)

WORDS = {1: "what is the plan", 2: "what does it cost", 3: "broken"}
ANSWERS = {WORDS[1]: ["aaaa", "bbbb"], WORDS[2]: ["cc"], WORDS[3]: ["fail"]}


class ShiftedClock(MonotonicClock):
    """The clock of the machine, that leaps when the test says so."""

    def __init__(self) -> None:
        self._ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self._ahead_ns

    def leap(self, seconds: float) -> None:
        self._ahead_ns += round(seconds * 1e9)


class ClockedOutput(SteppedOutput):
    """A voice output that says when it was first heard."""

    def __init__(self, clock: ShiftedClock) -> None:
        super().__init__()
        self._clock = clock

    def _advance(self, played: int) -> None:
        if played and not self._first_ns:
            self._first_ns = self._clock.now_ns()
        super()._advance(played)


class WatchedSession:
    """Ask it something by its number in ``WORDS``."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.clock = ShiftedClock()
        self.registry = Registry()
        self.seen = Notebook()
        self.gates: dict[str, threading.Event] = {}
        self.input = ScriptedInput()
        self.purse = Purse(read_prices(), limits or Limits(), now=lambda: datetime(2026, 11, 21))
        self.hosts = (FakeHost(), FakeHost())
        self.meter = SessionMeter(self.registry, {"asr": "words", "llm": "list", "tts": "tone"}, self.clock)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        output, host = self.hosts
        self.player = self._stack.enter_context(Player(48000, 2, output=DeviceOutput(host=output)))
        self.recorder = self._stack.enter_context(Recorder(16000, host=host))
        self.voice = self.player.open_source()
        parts = Parts(
            self.input,
            PausingSegmenter(),
            NotEnrolled(),
            [WordRecognizer(WORDS)],
            ListGenerator(ANSWERS, self.gates),
            ToneSynthesizer(),
            ClockedOutput(self.clock),
        )
        self.pipeline = Pipeline(parts, PipelineSettings(lossless=False, pause_s=0.0), self._observe, self.clock)
        self.purse.listen(self.pipeline.tell)
        self.server = MetricsServer(self.registry, 0)
        self._stack.callback(self.server.close)
        measured = Measured((self.meter,), self.server.url, self.registry)
        self._stack.enter_context(measured.watching(self.player, self.recorder, self.pipeline, self.purse))
        self._stack.enter_context(self.registry.asking(self.meter.readings))
        self.pipeline.start()
        self._stack.callback(self._end)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _observe(self, notice: Notice) -> None:
        self.meter(notice)
        self.seen(notice)

    def _end(self) -> None:
        for gate in self.gates.values():
            gate.set()
        assert self.pipeline.close(5.0) == ()

    def ask(self, word: int) -> None:
        """Ask it this; the answer is begun in the pause behind it, as always, before the question is over."""
        begun = len(self.seen.of(Speculated))
        self.input.say(word)
        self.seen.wait_for(Speculated, begun + 1)
        self.input.say(PausingSegmenter.OVER)

    def move(self, blocks: int = 1) -> None:
        """Let the devices take and give so many blocks of 256 frames."""
        for _ in range(blocks):
            self.hosts[0].streams[-1].call(256)
            stream = self.hosts[1].streams[-1]
            stream.call(256, np.zeros((256, stream.request.channels), np.float32))

    def spend(self, tokens: int = 1000, model: str = "gpt-4o-mini") -> None:
        """Let a service have been called."""
        self.purse.opened()
        self.purse.closed(Work(), Usage("llm", "openai", model, input_tokens=tokens, output_tokens=tokens))

    def page(self) -> str:
        """What a scraper is given."""
        with urllib.request.urlopen(self.server.url, timeout=10.0) as answer:
            return str(answer.read().decode())

    def read(self, name: str, *labels: str) -> Reading:
        """What one metric says."""
        found = [one for one in self.registry.readings() if one.metric.name == name and one.labels == labels]
        assert len(found) == 1, f"{name}{labels}: {found}"
        return found[0]

    def value(self, name: str, *labels: str) -> float:
        """The figure of a counter or a gauge."""
        value = self.read(name, *labels).value
        assert isinstance(value, int | float)
        return value
