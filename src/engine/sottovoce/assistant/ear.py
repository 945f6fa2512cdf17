"""From the inputs to segments: one thread that reads, and feeds the segmenters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

from sottovoce.assistant import notices
from sottovoce.assistant.listening import Listener, OpenSpeech
from sottovoce.assistant.messages import EarKind, SegmentSettled, SpeechLost, SpeechWentOn, TurnEvent
from sottovoce.assistant.ports import AudioInput
from sottovoce.core.clock import Clock
from sottovoce.core.queues import BoundedQueue
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import RecognizerStream
from sottovoce.speech.segmenter import Segment, SegmenterEvent, SpeechPaused, SpeechResumed, SpeechStarted

#: Seconds of input between two notices of progress.
PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class TimedSegment:
    """A segment, and when on the session's clock its speech ended and it was ready.

    ``settled`` is False for one that a pause has given, and that speech may yet make void; ``stream`` is one that has
    heard it already.
    """

    segment: Segment
    speech_end_ns: int
    ready_ns: int
    settled: bool = True
    stream: RecognizerStream | None = None
    ear: EarKind = "microphone"

    def drop(self) -> None:
        """It will not be transcribed."""
        if self.stream is not None:
            self.stream.close()


class SegmentSource(OpenSpeech, Protocol):
    """What the ear needs of a segmenter."""

    @property
    def speaking(self) -> bool: ...

    def feed(self, chunk: Mono) -> Sequence[SegmenterEvent]: ...

    def flush(self) -> Sequence[SegmenterEvent]: ...

    def hasten(self, number: int, revision: int) -> None: ...

    def align(self) -> None: ...


class StreamClock:
    """Places seconds of a stream on the session's clock.

    A block that arrives at ``t`` with its end at second ``p`` says that second 0 was at ``t - p`` or before; the
    earliest of these is the truth less the constant delay of the device, whatever the scheduler did in between.
    """

    def __init__(self) -> None:
        self._zero_ns: int | None = None

    def arrived(self, end_s: float, now_ns: int) -> None:
        zero_ns = now_ns - round(end_s * 1e9)
        if self._zero_ns is None or zero_ns < self._zero_ns:
            self._zero_ns = zero_ns

    def at_ns(self, position_s: float) -> int:
        return (self._zero_ns or 0) + round(position_s * 1e9)

    def position_s(self, at_ns: int) -> float:
        """Where in the stream a moment lies; 0 before the first block."""
        return 0.0 if self._zero_ns is None else (at_ns - self._zero_ns) / 1e9


class Ear:
    """Reads the input to its end and queues its segments; :meth:`run` is the body of the thread.

    A segment that finds the queue full pushes out the oldest one, or waits, as the queue was made. One that a pause has
    given is queued as soon as the pause is noticed; when it proves to be all, only that is said. A listener hears what
    is said while it is being said.

    Parameters
    ----------
    kind : EarKind
        What is told with all that it hears.
    second : Ear, optional
        Another ear, heard by the same thread: after each block of this one, what its source has beside that.
    """

    def __init__(
        self,
        source: AudioInput,
        segmenter: SegmentSource,
        segments: BoundedQueue[TimedSegment],
        post: Callable[[TurnEvent | notices.Notice], None],
        clock: Clock,
        listener: Listener | None = None,
        kind: EarKind = "microphone",
        second: Ear | None = None,
    ) -> None:
        self._source = source
        self._segmenter = segmenter
        self._segments = segments
        self._post = post
        self._clock = clock
        self._listener = listener
        self._kind = kind
        self._second = second
        self._stream_clock = StreamClock()
        self._frames = 0
        self._speaking = False
        self._next_progress_s = 0.0
        self._hasten: tuple[int, int] | None = None

    def hasten(self, number: int, revision: int) -> None:
        """The segment of this pause reads like a whole question: end it soon; from any thread."""
        self._hasten = (number, revision)
        if self._second is not None:
            self._second.hasten(number, revision)

    def position_s(self, at_ns: int) -> float:
        """The second of the input that is heard at a moment of the clock; from any thread."""
        return self._stream_clock.position_s(at_ns)

    def run(self) -> None:
        second = self._second
        try:
            while self._hear():
                if second is not None:
                    second._hear()
                self._tell_progress()
            for ear in (self, second) if second is not None else (self,):
                ear._end()
            self._post(notices.InputProgress(self.heard_s))
        finally:
            for ear in (self, second) if second is not None else (self,):
                if ear._listener is not None:
                    ear._listener.close()
            self._segments.close()

    @property
    def heard_s(self) -> float:
        """Seconds of input read so far; from any thread."""
        return self._frames / self._source.samplerate

    def _hear(self) -> bool:
        """Take the next block; False at the end of the input."""
        block = self._source.read()
        if block is None:
            return False
        self._take(block)
        return True

    def _end(self) -> None:
        self._pass_on(self._segmenter.flush())
        self._listen()

    def _tell_progress(self) -> None:
        if self.heard_s >= self._next_progress_s:
            self._next_progress_s = self.heard_s + PROGRESS_EVERY_S
            self._post(notices.InputProgress(self.heard_s))

    def _take(self, block: Mono) -> None:
        self._frames += len(block)
        self._stream_clock.arrived(self.heard_s, self._clock.now_ns())
        hasten, self._hasten = self._hasten, None
        if hasten is not None:
            self._segmenter.hasten(*hasten)
        self._pass_on(self._segmenter.feed(block))
        self._listen()
        if self._source.realtime:  # where a read gives a block of the detector, the next one is judged as it comes
            self._segmenter.align()

    def _listen(self) -> None:
        for news in self._listener.follow(self._segmenter) if self._listener is not None else ():
            self._post(news)

    def _pass_on(self, events: Sequence[SegmenterEvent]) -> None:
        was_speaking = self._speaking
        for event in events:
            match event:
                case SpeechStarted():
                    was_speaking = True
                    self._post(notices.SpeechBegan(event.at_s, self._kind))
                case SpeechPaused(segment):
                    self._queue(self._time(segment, settled=False))
                case SpeechResumed(number, revision):
                    for timed in self._segments.remove_where(lambda timed: timed.segment.number == number):
                        timed.drop()
                    if self._listener is not None:
                        self._listener.went_on()
                    self._post(SpeechWentOn(number, revision))
                case Segment():
                    self._settle(self._time(event, settled=True))
                case _:
                    assert_never(event)
        self._speaking = self._segmenter.speaking
        if was_speaking and not self._speaking:
            self._post(notices.SpeechEnded(self.heard_s, self._kind))

    def _time(self, segment: Segment, *, settled: bool) -> TimedSegment:
        ready_ns = self._clock.now_ns()
        # in a file read at full speed the position says nothing about the moment
        end_ns = self._stream_clock.at_ns(segment.speech_end_s) if self._source.realtime else ready_ns
        stream = self._stream_of(segment, settled=settled)
        return TimedSegment(segment, min(end_ns, ready_ns), ready_ns, settled, stream, self._kind)

    def _stream_of(self, segment: Segment, *, settled: bool) -> RecognizerStream | None:
        """The stream that has heard the segment, if there is one."""
        if self._listener is None or (settled and segment.revision):  # which has it since its pause
            return None
        whole = not settled or self._segmenter.open_segment is None
        return self._listener.hand_over(segment, whole=whole)

    def _settle(self, timed: TimedSegment) -> None:
        if self._listener is not None:
            self._listener.settled()
        if timed.segment.revision:  # its speech is on its way, or was dropped, since the pause
            self._post(SegmentSettled(timed.segment.number, timed.segment.revision, timed.ready_ns))
        else:
            self._queue(timed)

    def _queue(self, timed: TimedSegment) -> None:
        dropped = self._segments.put(timed)
        if dropped is not None:
            dropped.drop()
        if dropped is not None and dropped is not timed:  # one that comes back itself came after the end
            self._post(SpeechLost(dropped.segment.number))
            self._post(notices.SegmentDropped(dropped.segment.number, "the recognisers are too slow"))
