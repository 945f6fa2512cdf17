"""The ears of a pipeline, one or two, and who listens while something is being said."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sottovoce.assistant.ear import Ear, SegmentSource, TimedSegment
from sottovoce.assistant.listening import Listener
from sottovoce.assistant.messages import EarKind, TurnEvent
from sottovoce.assistant.notices import Notice
from sottovoce.assistant.numbering import NumberedSegmenter
from sottovoce.assistant.ports import AudioInput, Purse
from sottovoce.core.clock import Clock
from sottovoce.core.queues import BoundedQueue
from sottovoce.speech.asr.base import Recognizer
from sottovoce.speech.speaker import NotEnrolled, SpeakerVerifier


@dataclass(frozen=True, slots=True)
class SecondEar:
    """What is heard beside the input: what the machine itself plays, all of it said by others.

    Attributes
    ----------
    source : AudioInput
        Its read gives, without waiting, what was heard beside the last block of the first ear, and is as long.
    segmenter : SegmentSource
        Of its own.
    """

    source: AudioInput
    segmenter: SegmentSource


def open_listener(
    recognizers: Sequence[Recognizer],
    verifier: SpeakerVerifier,
    samplerate: int,
    purse: Purse,
    second: SecondEar | None,
) -> Listener | None:
    """Who listens while something is being said, if any recogniser can.

    Of two ears, to the one that hears others for certain: a recogniser can listen to one speech at a time.
    """
    kind: EarKind = "microphone" if second is None else "loopback"
    listener = Listener(recognizers, verifier if second is None else NotEnrolled(), samplerate, purse, kind)
    return listener if listener.available else None


def open_ears(
    first: tuple[AudioInput, SegmentSource],
    second: SecondEar | None,
    segments: BoundedQueue[TimedSegment],
    post: Callable[[TurnEvent | Notice], None],
    clock: Clock,
    listener: Listener | None,
) -> Ear:
    """The ear whose run hears both; a listener belongs to the second one, if there is one."""
    source, segmenter = first
    if second is None:
        return Ear(source, segmenter, segments, post, clock, listener)
    numbers = itertools.count(1)
    beside = NumberedSegmenter(second.segmenter, numbers)
    played = Ear(second.source, beside, segments, post, clock, listener, "loopback")
    return Ear(source, NumberedSegmenter(segmenter, numbers), segments, post, clock, second=played)
