"""Stages of a turn: moments marked while it happens, durations read from them afterwards."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sottovoce.core.clock import Clock, MonotonicClock


class Stage(StrEnum):
    """A moment in a turn, in the order in which they usually come."""

    SPEECH_END = "speech_end"  #: the true end of the question, not the moment at which it was noticed
    PAUSE_NOTICED = "pause_noticed"  #: work on the question began, before it was known to be over
    SEGMENT_READY = "segment_ready"
    SPEAKER_START = "speaker_start"
    SPEAKER_DONE = "speaker_done"
    ASR_START = "asr_start"
    ASR_DONE = "asr_done"
    QUESTION_ACCEPTED = "question_accepted"
    LLM_START = "llm_start"
    LLM_FIRST_TOKEN = "llm_first_token"
    FIRST_THESIS = "first_thesis"
    TTS_START = "tts_start"
    TTS_FIRST_CHUNK = "tts_first_chunk"
    FIRST_SAMPLE = "first_sample"  #: the first sample of the first thesis reaches the output
    LAST_SAMPLE = "last_sample"


class Span(StrEnum):
    """A named stretch between two stages; what tables and histograms show."""

    VAD_END = "vad_end"
    EMBEDDING = "embedding"
    ASR_WAIT = "asr_wait"
    ASR = "asr"
    LLM_FIRST_TOKEN = "llm_first_token"
    FIRST_THESIS = "first_thesis"
    TTS_FIRST_AUDIO = "tts_first_audio"
    FIRST_SAMPLE = "first_sample"
    TOTAL = "total"

    @property
    def start(self) -> Stage:
        return _BORDERS[self][0]

    @property
    def end(self) -> Stage:
        return _BORDERS[self][1]


_BORDERS: Mapping[Span, tuple[Stage, Stage]] = {
    Span.VAD_END: (Stage.SPEECH_END, Stage.SEGMENT_READY),
    Span.EMBEDDING: (Stage.SPEAKER_START, Stage.SPEAKER_DONE),
    Span.ASR_WAIT: (Stage.SEGMENT_READY, Stage.ASR_START),
    Span.ASR: (Stage.ASR_START, Stage.ASR_DONE),
    Span.LLM_FIRST_TOKEN: (Stage.LLM_START, Stage.LLM_FIRST_TOKEN),
    Span.FIRST_THESIS: (Stage.LLM_START, Stage.FIRST_THESIS),
    Span.TTS_FIRST_AUDIO: (Stage.TTS_START, Stage.TTS_FIRST_CHUNK),
    Span.FIRST_SAMPLE: (Stage.TTS_FIRST_CHUNK, Stage.FIRST_SAMPLE),
    Span.TOTAL: (Stage.SPEECH_END, Stage.FIRST_SAMPLE),
}

#: The spans that follow one another from the end of the question to the first sample.
_PATH = (Span.VAD_END, Span.EMBEDDING, Span.ASR, Span.FIRST_THESIS, Span.TTS_FIRST_AUDIO, Span.FIRST_SAMPLE)


@dataclass(frozen=True, slots=True)
class TurnTimes:
    """The moments of one turn, all on one clock.

    Attributes
    ----------
    turn : int
        Number of the turn in its session.
    marks_ns : mapping of Stage to int
        When each stage was reached, in nanoseconds; stages that were not reached are absent.
    """

    turn: int
    marks_ns: Mapping[Stage, int]

    def ms(self, start: Stage, end: Stage) -> float | None:
        """Milliseconds from ``start`` to ``end``; None unless both were reached. Negative if they came reversed."""
        if start not in self.marks_ns or end not in self.marks_ns:
            return None
        return (self.marks_ns[end] - self.marks_ns[start]) / 1e6

    def interval_ns(self, span: Span) -> tuple[int, int] | None:
        """When ``span`` began and ended; None unless both its ends were reached.

        A question that was worked on before it was over has its recogniser's wait from the pause on, and its first
        sample's from the moment at which it was known to be over.
        """
        start_ns, end_ns = self.marks_ns.get(span.start), self.marks_ns.get(span.end)
        if start_ns is None or end_ns is None:
            return None
        if span is Span.ASR_WAIT:
            start_ns = min(start_ns, self.marks_ns.get(Stage.PAUSE_NOTICED, start_ns))
        elif span is Span.FIRST_SAMPLE:
            start_ns = min(end_ns, max(start_ns, self.marks_ns.get(Stage.QUESTION_ACCEPTED, start_ns)))
        return start_ns, end_ns

    def span_ms(self, span: Span) -> float | None:
        """Length of ``span`` in milliseconds; None unless both its ends were reached."""
        interval_ns = self.interval_ns(span)
        return None if interval_ns is None else (interval_ns[1] - interval_ns[0]) / 1e6

    def critical_path_ms(self) -> dict[Span, float]:
        """By how much the end of each span put off the first sample, beyond those before it.

        What ran while the question was not yet known to be over put off nothing. The sum is the total.
        """
        reached_ns = self.marks_ns.get(Stage.SPEECH_END)
        delays_ms: dict[Span, float] = {}
        if reached_ns is None:
            return delays_ms
        for span in _PATH:
            end_ns = self.marks_ns.get(span.end)
            if end_ns is not None:
                delays_ms[span] = max(0, end_ns - reached_ns) / 1e6
                reached_ns = max(reached_ns, end_ns)
        return delays_ms

    def spans_ms(self) -> dict[Span, float]:
        """Every span whose two ends were reached, in milliseconds."""
        lengths = ((span, self.span_ms(span)) for span in Span)
        return {span: length for span, length in lengths if length is not None}

    @property
    def total_ms(self) -> float | None:
        """From the end of the question to the first sample in the ear; None if nothing was played."""
        return self.span_ms(Span.TOTAL)


class TurnRecorder:
    """Collects the marks of one turn from whichever threads reach them.

    A stage is marked once: later marks of the same stage are ignored, because "first" is what all of them mean.
    Only :attr:`Stage.LAST_SAMPLE` moves on with every mark.

    Parameters
    ----------
    turn : int
        Number of the turn.
    clock : Clock
        Where moments come from that are not given.
    """

    def __init__(self, turn: int, clock: Clock | None = None) -> None:
        self.turn = turn
        self._clock: Clock = clock or MonotonicClock()
        self._lock = threading.Lock()
        self._marks_ns: dict[Stage, int] = {}

    def mark(self, stage: Stage, at_ns: int | None = None) -> int:
        """Mark ``stage`` at ``at_ns`` (nanoseconds on the recorder's clock), or now; returns the mark that counts."""
        now_ns = self._clock.now_ns() if at_ns is None else at_ns
        with self._lock:
            if stage is Stage.LAST_SAMPLE:
                self._marks_ns[stage] = max(now_ns, self._marks_ns.get(stage, now_ns))
                return self._marks_ns[stage]
            return self._marks_ns.setdefault(stage, now_ns)

    def freeze(self) -> TurnTimes:
        """What has been marked so far, as a record that does not change any more."""
        with self._lock:
            marks = sorted(self._marks_ns.items(), key=lambda mark: mark[1])
        return TurnTimes(self.turn, dict(marks))
