"""Counts what happens in a session, as its notices tell it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import get_args

from sottovoce import __version__
from sottovoce.assistant import notices
from sottovoce.assistant.messages import Outcome, Thesis, Utterance
from sottovoce.assistant.notices import Notice
from sottovoce.core.clock import Clock, MonotonicClock
from sottovoce.metrics import catalogue as metrics
from sottovoce.metrics.registry import Reading, Registry
from sottovoce.metrics.stages import Span, Stage, TurnTimes
from sottovoce.speech.speaker import SpeakerKind
from sottovoce.speech.usage import Usage


class SessionMeter:
    """An observer that counts; it never blocks.

    Parameters
    ----------
    registry : Registry
        Where to.
    answering : mapping of str to str
        The backend that each part ("asr", "llm", "tts") begins with.
    clock : Clock, optional
        That of the session.
    """

    def __init__(self, registry: Registry, answering: Mapping[str, str], clock: Clock | None = None) -> None:
        self._registry = registry
        self._clock = clock or MonotonicClock()
        self._began_ns = self._clock.now_ns()
        self._lock = threading.Lock()
        self._asked_ns: dict[int, int] = {}  # questions that wait for their answer, by generation
        self._foreseen: dict[int, set[int]] = {}  # theses that are spoken in advance, by generation
        self._heard_s = 0.0
        self._answering: dict[str, str] = {}
        registry.put(metrics.SESSION_INFO, 1.0, __version__)
        for part, backend in answering.items():
            self._answers(part, backend)
        self._begin()

    def __call__(self, notice: Notice) -> None:
        match notice:
            case notices.InputProgress(heard_s):
                self._registry.count(metrics.HEARD, by=max(0.0, heard_s - self._heard_s))
                self._heard_s = heard_s
            case notices.Decided(step):
                self._decided(str(step.event["event"]))
            case notices.StageReached(_, Stage.LLM_START):
                self._called("llm")
            case notices.UtteranceHeard(utterance, generation):
                self._heard(utterance, generation)
            case notices.ThesisForeseen(thesis):
                self._foreseen.setdefault(thesis.generation, set()).add(thesis.number)
                self._called("tts")
            case notices.SpeculationEnded(generation, taken):
                self._speculation_ended(generation, taken)
            case notices.ThesisAdded(thesis):
                self._added(thesis)
            case notices.ThesisStarted(thesis):
                self._no_longer_waits(thesis.generation)
            case notices.ThesisSpoken():
                self._registry.count(metrics.THESES, "heard")
            case notices.ThesisCut():
                self._registry.count(metrics.THESES, "cut")
            case notices.ThesisFailed():
                self._registry.count(metrics.THESES, "failed")
            case notices.SegmentDropped(_, reason):
                self._registry.count(metrics.SEGMENTS_DROPPED, reason)
            case notices.TurnEnded(generation, outcome, _, times):
                self._turn_ended(generation, outcome, times)
            case _:
                self._of_backends(notice)

    def readings(self) -> Iterator[Reading]:
        """What time alone changes."""
        now_ns = self._clock.now_ns()
        with self._lock:
            since_ns = min(self._asked_ns.values(), default=now_ns)
        yield Reading(metrics.UPTIME, (now_ns - self._began_ns) / 1e9)
        yield Reading(metrics.WAITING, max(0, now_ns - since_ns) / 1e9)

    def _begin(self) -> None:
        """What may happen is there from the start, so that the first time it does is seen as a change."""
        begin = self._registry.begin
        for metric in (metrics.HEARD, metrics.RESPONSE, metrics.IGNORED):
            begin(metric)
        for span in Span:
            if span is not Span.TOTAL:
                begin(metrics.STAGE, span)
        for outcome in get_args(Outcome):
            begin(metrics.TURNS, outcome)
        for speaker in get_args(SpeakerKind):
            begin(metrics.UTTERANCES, speaker)
        for fate in ("heard", "cut", "failed"):
            begin(metrics.THESES, fate)
        for result in ("hit", "miss"):
            begin(metrics.SPECULATIONS, result)
        for part in ("asr", "llm", "tts"):
            begin(metrics.WASTED, part)
            begin(metrics.FALLBACKS, part)

    def _of_backends(self, notice: Notice) -> None:
        match notice:
            case notices.BackendFailed(backend, part=part, kind=kind):
                self._registry.count(metrics.ERRORS, part, backend, kind)
            case notices.BackendChanged(part, backend):
                self._registry.count(metrics.FALLBACKS, part)
                self._answers(part, backend)
            case notices.Spent(usage, nano_usd):
                self._spent(usage, nano_usd)
            case _:
                pass

    def _decided(self, event: str) -> None:
        if event == "heard":
            self._called("asr")
        elif event == "went on":
            self._registry.count(metrics.WASTED, "asr")

    def _heard(self, utterance: Utterance, generation: int) -> None:
        self._registry.count(metrics.UTTERANCES, utterance.speaker)
        if not generation:
            self._registry.count(metrics.IGNORED)
            return
        marks = dict(utterance.marks)
        with self._lock:
            self._asked_ns[generation] = marks.get(Stage.SPEECH_END, self._clock.now_ns())

    def _added(self, thesis: Thesis) -> None:
        if thesis.number not in self._foreseen.get(thesis.generation, ()):
            self._called("tts")

    def _speculation_ended(self, generation: int, taken: bool) -> None:
        self._registry.count(metrics.SPECULATIONS, "hit" if taken else "miss")
        if not taken:
            self._registry.count(metrics.WASTED, "llm")
            self._registry.count(metrics.WASTED, "tts", by=len(self._foreseen.pop(generation, ())))

    def _turn_ended(self, generation: int, outcome: str, times: TurnTimes) -> None:
        self._no_longer_waits(generation)
        self._foreseen.pop(generation, None)
        self._registry.count(metrics.TURNS, outcome)
        for span, length_ms in times.spans_ms().items():
            length_s = max(0.0, length_ms / 1000)
            if span is Span.TOTAL:
                self._registry.observe(metrics.RESPONSE, length_s)
            else:
                self._registry.observe(metrics.STAGE, length_s, span)

    def _no_longer_waits(self, generation: int) -> None:
        with self._lock:
            self._asked_ns.pop(generation, None)

    def _answers(self, part: str, backend: str) -> None:
        before = self._answering.get(part)
        if before is not None:
            self._registry.put(metrics.ANSWERING, 0.0, part, before)
        self._answering[part] = backend
        self._registry.put(metrics.ANSWERING, 1.0, part, backend)
        self._registry.begin(metrics.CALLS, part, backend)

    def _called(self, part: str) -> None:
        self._registry.count(metrics.CALLS, part, self._answering.get(part, ""))

    def _spent(self, usage: Usage, nano_usd: int | None) -> None:
        model = (usage.part, usage.provider, usage.model)
        self._registry.count(metrics.SERVICE_CALLS, *model)
        if nano_usd is None:
            self._registry.count(metrics.UNPRICED, *model)
        else:
            self._registry.count(metrics.SERVICE_COST, *model, by=nano_usd / 1e9)
        ways = {"sent": usage.input_tokens, "cached": usage.cached_tokens, "received": usage.output_tokens}
        for way, tokens in ways.items():
            if tokens:
                self._registry.count(metrics.SERVICE_TOKENS, *model, way, by=tokens)
