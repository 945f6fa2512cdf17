"""Speech and silence, frame by frame: where a person has marked speech against where it was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sottovoce.core.types import Mono
from sottovoce.speech.segmenter import Segment, Segmenter, SegmenterEvent, SpeechStarted

#: Length (s) of a frame that is counted, as is usual.
FRAME_S = 0.01

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Frames by what they are and what they were taken for."""

    found: int = 0
    missed: int = 0
    false: int = 0
    quiet: int = 0

    @property
    def total(self) -> int:
        return self.found + self.missed + self.false + self.quiet

    @property
    def right(self) -> int:
        return self.found + self.quiet

    @property
    def silence(self) -> int:
        """Frames in which nobody speaks."""
        return self.false + self.quiet

    @property
    def accuracy(self) -> float:
        """Share of all frames that were judged right; 0 of none."""
        return self.right / self.total if self.total else 0.0

    @property
    def false_alarm(self) -> float:
        """Share of the frames without speech that were taken for speech; 0 of none."""
        return self.false / self.silence if self.silence else 0.0

    def __add__(self, other: FrameCounts) -> FrameCounts:
        return FrameCounts(
            self.found + other.found, self.missed + other.missed, self.false + other.false, self.quiet + other.quiet
        )


def count_frames(marked: Iterable[Span], found: Iterable[Span], length_s: float) -> FrameCounts:
    """Compare two lists of intervals (s) of a recording of ``length_s`` seconds."""
    truth, guess = _frames(marked, length_s), _frames(found, length_s)
    return FrameCounts(
        int((truth & guess).sum()),
        int((truth & ~guess).sum()),
        int((~truth & guess).sum()),
        int((~truth & ~guess).sum()),
    )


def speech_spans(segmenter: Segmenter, audio: Mono) -> list[Span]:
    """From when to when (s) a segmenter hears speech in a whole recording; what it ignores is not speech."""
    return list(spans_of([*segmenter.feed(audio), *segmenter.flush()]))


def spans_of(events: Iterable[SegmenterEvent]) -> Iterator[Span]:
    """The intervals (s) of speech in what a segmenter has said: without pre-roll and hang-over."""
    start_s: float | None = None
    for event in events:
        if isinstance(event, SpeechStarted):
            start_s = event.at_s
        elif isinstance(event, Segment):
            # pieces of one long speech follow one start
            yield (event.start_s if start_s is None else start_s), event.speech_end_s
            start_s = None


def _frames(spans: Iterable[Span], length_s: float) -> npt.NDArray[np.bool_]:
    frames = np.zeros(round(length_s / FRAME_S), bool)
    for start_s, end_s in spans:
        frames[round(max(0.0, start_s) / FRAME_S) : round(max(0.0, end_s) / FRAME_S)] = True
    return frames
