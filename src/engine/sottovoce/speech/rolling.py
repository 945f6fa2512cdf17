"""Partial transcripts from a recogniser that has none: what has been said so far is transcribed over and over."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass

import numpy as np

from sottovoce.core.cancel import CancelToken
from sottovoce.core.clock import Clock, MonotonicClock
from sottovoce.core.errors import BackendError
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.threads import ThreadGroup
from sottovoce.core.types import Mono
from sottovoce.core.units import s_to_frames
from sottovoce.speech.asr.base import Recognizer, RecognizerStream, Transcript

#: Passes in a row that took longer than what they heard lasts, after which there are no more in this session.
SLOW_PASSES = 3

_CLOSE_S = 2.0
_LOG = get_logger("speech.asr")


@dataclass(frozen=True, slots=True)
class _Pass:
    stream: _RollingStream
    audio: Mono
    cancel: CancelToken


class RollingRecognizer:
    """A recogniser that streams, made of one that does not.

    While a segment is being spoken, all of it is transcribed again and again: one pass at a time, the next one as soon
    as the last is done and enough is new. A final transcript never waits for a pass: it cancels it.

    Parameters
    ----------
    recognizer : Recognizer
        Whose passes these are; it belongs to this one from now on.
    every_s : float
        How much must be new (s) for another pass.
    longest_s : float
        A segment that has become longer is not worth more passes; its final transcript is made as ever.
    """

    def __init__(
        self, recognizer: Recognizer, *, every_s: float = 0.1, longest_s: float = 15.0, clock: Clock | None = None
    ) -> None:
        self._recognizer = recognizer
        self._clock = clock or MonotonicClock()
        self._every_frames = s_to_frames(every_s, recognizer.samplerate)
        self._longest_frames = s_to_frames(longest_s, recognizer.samplerate)
        self._condition = threading.Condition()
        self._sole = threading.Lock()  # a recogniser serves one thread at a time
        self._threads = ThreadGroup(lambda error: None)  # logged by the group; finals go on without passes
        self._stream: _RollingStream | None = None
        self._pass: CancelToken | None = None
        self._finals = 0  # transcripts that are waited for
        self._slow = 0
        self._started = False
        self._closed = False

    @property
    def name(self) -> str:
        return self._recognizer.name

    @property
    def samplerate(self) -> int:
        return self._recognizer.samplerate

    @property
    def too_slow(self) -> bool:
        """Whether there are no more passes, since they took longer than what they heard."""
        return self._slow >= SLOW_PASSES

    def warm(self) -> None:
        self._recognizer.warm()

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None:
        self._recognizer.adapt(phrases, words)

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        """As the recogniser does, which it does not let a pass keep from it."""
        with self._condition:
            self._finals += 1
            running = self._pass
        if running is not None:
            running.cancel()
        try:
            with self._sole:
                return self._recognizer.transcribe(audio, cancel)
        finally:
            with self._condition:
                self._finals -= 1
                self._condition.notify_all()

    def listen(self, heard: Callable[[Transcript], None]) -> RecognizerStream:
        """Begin a segment, in the place of the one before; see :class:`StreamingRecognizer`."""
        stream = _RollingStream(self, heard)
        with self._condition:
            self._stream = stream
            if not (self._started or self._closed):
                self._started = True
                self._threads.start(f"asr-rolling-{self.name}", self._work)
        return stream

    def close(self) -> None:
        with self._condition:
            self._closed = True
            running = self._pass
            self._condition.notify_all()
        if running is not None:
            running.cancel()
        self._recognizer.close()
        self._threads.join(_CLOSE_S)

    def fed(self) -> None:
        """A stream has been fed."""
        with self._condition:
            self._condition.notify_all()

    def forget(self, stream: _RollingStream) -> None:
        """No more passes over this stream."""
        with self._condition:
            running = self._pass if self._stream is stream else None
            if self._stream is stream:
                self._stream = None
        if running is not None:
            running.cancel()

    def _work(self) -> None:
        while (wanted := self._next()) is not None:
            began_ns = self._clock.now_ns()
            transcript = self._heard_in(wanted)
            took_s = (self._clock.now_ns() - began_ns) / 1e9
            with self._condition:
                self._pass = None
            if transcript is not None and not wanted.cancel.cancelled:
                self._judge(took_s, len(wanted.audio) / self.samplerate)
                wanted.stream.tell(transcript)

    def _next(self) -> _Pass | None:
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._due)
            stream = self._stream
            if self._closed or stream is None:
                return None
            self._pass = CancelToken()
            return _Pass(stream, stream.take(), self._pass)

    @property
    def _due(self) -> bool:
        stream = self._stream
        if stream is None or self._finals or self.too_slow:
            return False
        return stream.new_frames >= self._every_frames and stream.frames <= self._longest_frames

    def _heard_in(self, wanted: _Pass) -> Transcript | None:
        with self._sole:
            try:
                return wanted.stream.context.run(self._recognizer.transcribe, wanted.audio, wanted.cancel)
            except BackendError:  # the final transcript will say so
                self.forget(wanted.stream)
                return None

    def _judge(self, took_s: float, length_s: float) -> None:
        self._slow = self._slow + 1 if took_s > length_s else 0
        if self.too_slow:
            log_event(
                _LOG, logging.WARNING, "too slow for partial transcripts", recognizer=self.name, took_s=round(took_s, 2)
            )


class _RollingStream:
    """What has been said of one segment."""

    def __init__(self, rolling: RollingRecognizer, heard: Callable[[Transcript], None]) -> None:
        self._rolling = rolling
        self._heard = heard
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._pieces: list[Mono] = []
        self._last = ""
        self._open = True
        self.context = copy_context()  # whoever has begun the segment pays for its passes
        self.frames = 0
        self.new_frames = 0

    def feed(self, audio: Mono) -> None:
        with self._lock:
            self._pieces.append(audio)
            self.frames += len(audio)
            self.new_frames += len(audio)
        self._rolling.fed()

    def take(self) -> Mono:
        """All that has been heard; what comes later is new."""
        with self._lock:
            whole = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.float32)
            self._pieces = [whole]
            self.new_frames = 0
            return whole

    def tell(self, transcript: Transcript) -> None:
        """A pass is over."""
        with self._telling:
            if self._open and transcript.text != self._last:
                self._last = transcript.text
                self._heard(transcript)

    def finish(self, cancel: CancelToken) -> Transcript:
        self.close()
        return self._rolling.transcribe(self.take(), cancel)

    def close(self) -> None:
        self._rolling.forget(self)
        with self._telling:
            self._open = False
