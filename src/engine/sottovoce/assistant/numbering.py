"""Segments of several ears, numbered together in the order in which they begin to count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sottovoce.assistant.ear import SegmentSource
from sottovoce.core.types import Mono
from sottovoce.speech.segmenter import (
    OpenSegment,
    Segment,
    SegmenterEvent,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
)


class NumberedSegmenter:
    """A segmenter whose numbers come from a count that it shares with others; pure, and used by their one thread.

    A segment has its number from when it is long enough to count, or first heard of. If it comes to nothing, that
    number is not used again: the next one may begin after one of another ear.

    Parameters
    ----------
    segmenter : SegmentSource
        Its numbers are its own, from 1.
    numbers : iterator of int
        Ascending; shared by all ears.
    """

    def __init__(self, segmenter: SegmentSource, numbers: Iterator[int]) -> None:
        self._segmenter = segmenter
        self._numbers = numbers
        self._given: dict[int, int] = {}  # by its own number: of the open segment, and of those that follow without end

    @property
    def speaking(self) -> bool:
        return self._segmenter.speaking

    @property
    def open_segment(self) -> OpenSegment | None:
        opened = self._segmenter.open_segment
        return None if opened is None else replace(opened, number=self._number(opened.number))

    def spoken_since(self, frame: int) -> Mono:
        return self._segmenter.spoken_since(frame)

    def feed(self, chunk: Mono) -> list[SegmenterEvent]:
        return self._translated(self._segmenter.feed(chunk))

    def flush(self) -> list[SegmenterEvent]:
        return self._translated(self._segmenter.flush())

    def hasten(self, number: int, revision: int) -> None:
        for own, given in self._given.items():
            if given == number:
                self._segmenter.hasten(own, revision)

    def align(self) -> None:
        self._segmenter.align()

    def _number(self, own: int) -> int:
        if own not in self._given:
            self._given[own] = next(self._numbers)
        return self._given[own]

    def _translated(self, events: Sequence[SegmenterEvent]) -> list[SegmenterEvent]:
        return [self._translate(event) for event in events]

    def _translate(self, event: SegmenterEvent) -> SegmenterEvent:
        match event:
            case SpeechStarted():
                self._given.clear()  # what was open before is settled, or came to nothing
                return event
            case SpeechPaused(segment):
                return SpeechPaused(replace(segment, number=self._number(segment.number)))
            case SpeechResumed(number, revision):
                return SpeechResumed(self._number(number), revision)
            case Segment():
                return replace(event, number=self._number(event.number))
