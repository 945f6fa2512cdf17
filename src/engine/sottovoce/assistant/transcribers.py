"""From segments to utterances: a pool of recognisers, each with a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from sottovoce.assistant.ear import TimedSegment
from sottovoce.assistant.messages import AsideHeard, Heard, InputEnded, SpeechLost, TurnEvent, Utterance
from sottovoce.assistant.notices import BackendFailed, Notice, SegmentDropped
from sottovoce.assistant.ports import Purse
from sottovoce.core.cancel import CancelToken
from sottovoce.core.clock import Clock
from sottovoce.core.errors import BackendError
from sottovoce.core.queues import BoundedQueue
from sottovoce.core.types import Mono
from sottovoce.core.units import frames_to_s
from sottovoce.metrics.stages import Stage
from sottovoce.speech.asr.base import Recognizer, Transcript
from sottovoce.speech.segmenter import Segment
from sottovoce.speech.speaker import SpeakerKind, SpeakerVerdict, SpeakerVerifier
from sottovoce.speech.usage import charged_to

_SUPERSEDED = "a later question is being answered"

#: What the machine plays is said by somebody else, for certain.
_OTHER = SpeakerVerdict("other", None)


class Turnstile:
    """Lets utterances pass in the order of speech, one when the one before is done with.

    Used where nothing may be lost: it keeps questions in order although recognisers finish as they like, and makes
    a fast reader wait for a slow voice.
    """

    def __init__(self) -> None:
        self._next = 1
        self._condition = threading.Condition()
        self._closed = False

    def enter(self, number: int) -> bool:
        """Wait for the turn of ``number``; False if the turnstile has been closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._next >= number)
            return not self._closed

    def leave(self, number: int) -> None:
        """``number`` is done with."""
        with self._condition:
            self._next = max(self._next, number + 1)
            self._condition.notify_all()

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify_all()


class OneAtATime:
    """A verifier that several threads may ask: it answers them one after another."""

    def __init__(self, verifier: SpeakerVerifier) -> None:
        self._verifier = verifier
        self._lock = threading.Lock()

    def verify(self, audio: Mono, samplerate: int) -> SpeakerVerdict:
        with self._lock:
            return self._verifier.verify(audio, samplerate)


class Transcribers:
    """The pool; :meth:`work` is the body of each thread, one for each recogniser.

    Parameters
    ----------
    verifier : SpeakerVerifier
        Asked by all threads of the pool at once, about what the microphone has heard. What the machine plays is never
        the wearer.
    segments : BoundedQueue of TimedSegment
        Where the segments come from; closed and empty, it ends the threads, and the last one says that the input
        has ended.
    turnstile : Turnstile or None
        Keeps the order and makes the pool wait, where nothing may be lost.
    """

    def __init__(
        self,
        recognizers: int,
        samplerate: int,
        verifier: SpeakerVerifier,
        segments: BoundedQueue[TimedSegment],
        turnstile: Turnstile | None,
        purse: Purse,
        post: Callable[[TurnEvent | Notice], None],
        clock: Clock,
    ) -> None:
        self._samplerate = samplerate
        self._verifier = verifier
        self._segments = segments
        self._turnstile = turnstile
        self._purse = purse
        self._post = post
        self._clock = clock
        self._lock = threading.Lock()
        self._active: dict[tuple[int, int], CancelToken] = {}
        self._void: set[CancelToken] = set()
        self._working = recognizers
        self._closing = False

    def work(self, recognizer: Recognizer) -> None:
        """Transcribe until the queue is closed and empty."""
        while (timed := self._segments.get()) is not None:
            segment, cancel = timed.segment, CancelToken()
            key = (segment.number, segment.revision)
            with self._lock:
                self._active[key] = cancel
            with charged_to(self._purse.for_segment(segment.number, segment.revision)):
                self._hear(recognizer, timed, cancel)
            with self._lock:
                del self._active[key]
                self._void.discard(cancel)
        with self._lock:
            self._working -= 1
            last = self._working == 0
        if last:
            self._post(InputEnded())

    def drop_older(self, number: int) -> list[SegmentDropped]:
        """Give up segments before ``number``, queued or in work; returns those that were queued."""
        with self._lock:
            older = [cancel for (active, _), cancel in self._active.items() if active < number]
        for cancel in older:
            cancel.cancel()
        queued = self._segments.remove_where(lambda timed: timed.segment.number < number)
        for timed in queued:
            timed.drop()
        return [SegmentDropped(timed.segment.number, _SUPERSEDED) for timed in queued]

    def void(self, number: int, revision: int) -> None:
        """Speech went on after this pause: do not go on with what it gave."""
        with self._lock:
            cancel = self._active.get((number, revision))
            if cancel is not None:
                self._void.add(cancel)
        if cancel is not None:
            cancel.cancel()

    def close(self) -> None:
        """Give up everything; the threads end soon after."""
        self._closing = True
        self._segments.close()
        for timed in self._segments.remove_where(lambda timed: True):
            timed.drop()
        if self._turnstile is not None:
            self._turnstile.close()
        with self._lock:
            active = list(self._active.values())
        for cancel in active:
            cancel.cancel()

    def _hear(self, recognizer: Recognizer, timed: TimedSegment, cancel: CancelToken) -> None:
        """Tell what is said in a segment: what is not the wearer's first, since it may be a question."""
        segment = timed.segment
        utterance, verdict = self._transcribe(recognizer, timed, cancel)
        if cancel.cancelled:
            with self._lock:
                void = cancel in self._void
            if not self._closing and not void:
                self._post(SpeechLost(segment.number))
                self._post(SegmentDropped(segment.number, _SUPERSEDED))
        elif self._turnstile is None or self._turnstile.enter(segment.number):
            self._post(Heard(utterance, segment.revision, timed.settled))
            aside = self._aside(recognizer, segment, verdict, cancel)
            if aside is not None:
                self._post(AsideHeard(aside, segment.revision, timed.settled))

    def _aside(
        self, recognizer: Recognizer, segment: Segment, verdict: SpeakerVerdict, cancel: CancelToken
    ) -> Utterance | None:
        """What the wearer said in a segment with somebody else's words; None if nothing is understood."""
        part = verdict.wearers_part(segment.audio)
        if part is None:
            return None
        audio, start_frame, end_frame = part
        try:
            transcript = recognizer.transcribe(audio, cancel)
        except BackendError as failure:
            self._post(BackendFailed.of(failure, "asr"))
            return None
        if cancel.cancelled or not transcript.text:
            return None
        return self._utterance(segment, "own", transcript, start_frame, end_frame, aside=True)

    def _transcribe(
        self, recognizer: Recognizer, timed: TimedSegment, cancel: CancelToken
    ) -> tuple[Utterance, SpeakerVerdict]:
        segment, error = timed.segment, ""
        ready = Stage.SEGMENT_READY if timed.settled else Stage.PAUSE_NOTICED
        marks = [(Stage.SPEECH_END, timed.speech_end_ns), (ready, timed.ready_ns)]

        def mark(stage: Stage) -> None:
            marks.append((stage, self._clock.now_ns()))

        mark(Stage.SPEAKER_START)
        verdict = _OTHER if timed.ear == "loopback" else self._verify(segment.audio)
        audio, start_frame, end_frame = verdict.without_wearer(segment.audio)
        mark(Stage.SPEAKER_DONE)
        mark(Stage.ASR_START)
        try:
            transcript = self._understand(recognizer, timed, audio, cancel)
        except BackendError as failure:
            error = failure.message
            transcript = Transcript("", "", None, recognizer.name)
            self._post(BackendFailed.of(failure, "asr"))
        mark(Stage.ASR_DONE)
        utterance = self._utterance(segment, verdict.kind, transcript, start_frame, end_frame)
        return replace(utterance, marks=tuple(marks), error=error, ear=timed.ear), verdict

    def _utterance(
        self,
        segment: Segment,
        speaker: SpeakerKind,
        transcript: Transcript,
        start_frame: int,
        end_frame: int,
        *,
        aside: bool = False,
    ) -> Utterance:
        return Utterance(
            number=segment.number,
            speaker=speaker,
            text=transcript.text,
            language=transcript.language,
            confidence=transcript.confidence,
            start_s=segment.start_s + frames_to_s(start_frame, self._samplerate),
            end_s=segment.start_s + frames_to_s(end_frame, self._samplerate),
            marks=(),
            backend=transcript.backend,
            aside=aside,
        )

    def _understand(self, recognizer: Recognizer, timed: TimedSegment, audio: Mono, cancel: CancelToken) -> Transcript:
        """By the stream that has heard it already; by the recogniser, if there is none, it fails, or heard both."""
        stream = timed.stream
        if stream is None:
            return recognizer.transcribe(audio, cancel)
        try:
            if audio is timed.segment.audio:
                return stream.finish(cancel)
        except BackendError as failure:
            self._post(BackendFailed.of(failure, "asr"))
        finally:
            stream.close()
        return recognizer.transcribe(audio, cancel)

    def _verify(self, audio: Mono) -> SpeakerVerdict:
        try:
            return self._verifier.verify(audio, self._samplerate)
        except BackendError as failure:
            self._post(BackendFailed.of(failure, "embedding"))
            return SpeakerVerdict("unsure", None)
