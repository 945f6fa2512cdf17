"""Streams of the open segment: when they are opened, fed, handed over and closed, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from sottovoce.assistant import notices
from sottovoce.assistant.ear import Ear, TimedSegment
from sottovoce.assistant.listening import Listener
from sottovoce.assistant.messages import PartialHeard, SegmentSettled, SpeechLost, SpeechWentOn, TurnEvent
from sottovoce.assistant.ports import Purse
from sottovoce.core.clock import MonotonicClock
from sottovoce.core.errors import BudgetSpentError
from sottovoce.core.queues import BoundedQueue
from sottovoce.core.types import Mono
from sottovoce.speech.segmenter import Segmenter, SegmenterSettings
from sottovoce.speech.speaker import SpeakerVerdict
from tests.support.fakes import SAMPLERATE, LevelDetector, WordStream, WordStreams, said

WORDS = {1: "what", 2: "is", 3: "the", 4: "plan", 5: "please"}
SETTINGS = SegmenterSettings(pause_ms=160, max_segment_s=4.0)


class Verifier:
    """Says of every voice what it was told to, and remembers how often it was asked."""

    def __init__(self, kind: str = "other") -> None:
        self.kind = kind
        self.asked: list[int] = []

    def verify(self, audio: Mono, samplerate: int) -> SpeakerVerdict:
        self.asked.append(len(audio))
        return SpeakerVerdict(self.kind, 1.0)  # type: ignore[arg-type]


class Heard:
    """An ear, block by block; what it has posted and queued."""

    samplerate = SAMPLERATE
    realtime = True

    def __init__(
        self, kind: str = "other", queue: int = 8, recognizer: WordStreams | None = None, purse: Purse | None = None
    ) -> None:
        self.posted: list[TurnEvent | notices.Notice] = []
        self.recognizer = recognizer or WordStreams(WORDS)
        self.verifier = Verifier(kind)
        self.segments: BoundedQueue[TimedSegment] = BoundedQueue(queue)
        self.listener = Listener([self.recognizer], self.verifier, SAMPLERATE, purse)
        self._blocks: list[Mono] = []
        self._taken: list[TimedSegment] = []
        segmenter = Segmenter(LevelDetector(), SETTINGS)
        post = self.posted.append
        self._ear = Ear(self, segmenter, self.segments, post, MonotonicClock(), self.listener)

    def read(self) -> Mono | None:
        if not self._blocks:
            return None
        self.listener.judge(0.0)
        return self._blocks.pop(0)

    def close(self) -> None: ...

    def hear(self, *sound: Mono) -> None:
        """All of it, then the end of the input."""
        audio = np.concatenate(sound)
        self._blocks = [audio[at : at + 32] for at in range(0, len(audio), 32)]
        self._ear.run()

    def of(self, kind: type) -> list[TurnEvent | notices.Notice]:
        return [item for item in self.posted if isinstance(item, kind)]

    def queued(self) -> list[TimedSegment]:
        while (timed := self.segments.get(0.0)) is not None:
            self._taken.append(timed)
        return self._taken


@contextmanager
def no_stream_left_open(heard: Heard) -> Iterator[Heard]:
    yield heard
    taken = {id(timed.stream) for timed in heard.queued()}
    assert all(stream.closed or id(stream) in taken for stream in heard.recognizer.opened)


def quiet(seconds: float) -> Mono:
    return np.zeros(round(seconds * SAMPLERATE), np.float32)


def test_question_is_heard_word_by_word_from_its_pre_roll_on() -> None:
    with no_stream_left_open(Heard()) as heard:
        heard.hear(quiet(0.5), said(1, 2, 3, 4), quiet(1.0))
        shown = [news.text for news in heard.of(notices.HeardSoFar)]  # type: ignore[union-attr]
        assert shown == ["what is", "what is the", "what is the plan"]
        told = [news.utterance.text for news in heard.of(PartialHeard)]  # type: ignore[union-attr]
        assert told == shown
        assert [timed.stream.audio[:300].any() for timed in heard.queued()] == [np.False_]  # type: ignore[union-attr]
        assert not heard.of(SpeechLost)


def test_what_changes_at_every_block_is_shown_but_not_told() -> None:
    with no_stream_left_open(Heard()) as heard:
        calls = iter(range(1000))
        heard.recognizer.wrongly = lambda text: f"{text} {next(calls)}"
        heard.hear(said(1, 2, 3, 4), quiet(1.0))
        assert len(heard.of(notices.HeardSoFar)) > 10
        assert not heard.of(PartialHeard)


def test_cough_opens_no_stream() -> None:
    with no_stream_left_open(Heard()) as heard:
        heard.hear(quiet(0.5), said(1, seconds=0.3), quiet(1.0))
        assert heard.recognizer.opened == []
        assert not heard.of(SpeechLost)


def test_stream_is_handed_over_with_all_of_the_segment_and_another_hears_what_goes_on() -> None:
    with no_stream_left_open(Heard()) as heard:
        heard.hear(said(1, 2, 3), quiet(0.3), said(4), quiet(1.0))
        (second,) = heard.queued()
        first = heard.recognizer.opened[0]
        assert first.closed
        assert np.array_equal(first.audio, second.segment.audio[: len(first.audio)])
        assert np.array_equal(second.stream.audio, second.segment.audio)  # type: ignore[union-attr]
        assert len(heard.of(SpeechWentOn)) == 1
        assert len(heard.of(SegmentSettled)) == 1
        assert heard.of(PartialHeard)[-1].utterance.text == "what is the plan"  # type: ignore[union-attr]
        assert len(heard.verifier.asked) == 1
        second.drop()


def test_monologue_is_heard_piece_by_piece_and_no_piece_twice() -> None:
    with no_stream_left_open(Heard()) as heard:
        heard.hear(said(*[1, 2, 3, 4] * 4, seconds=0.5), quiet(1.0))
        timed = heard.queued()
        assert len(timed) > 1
        assert [item.stream is None for item in timed[:-1]] == [True] * (len(timed) - 1)
        last = timed[-1]
        assert np.array_equal(last.stream.audio[: len(last.segment.audio)], last.segment.audio)  # type: ignore[union-attr]
        last.drop()
        numbers = [news.utterance.number for news in heard.of(PartialHeard)]  # type: ignore[union-attr]
        assert set(numbers) >= set(range(1, len(timed)))  # the last may be too short to tell whose voice it is
        assert numbers == sorted(numbers)


def test_segment_dropped_for_want_of_room_is_lost_and_its_stream_closed() -> None:
    with no_stream_left_open(Heard(queue=1)) as heard:
        heard.hear(said(1, 2, 3), quiet(1.0), said(1, 2, 4), quiet(1.0))
        assert [news.number for news in heard.of(SpeechLost)] == [1]  # type: ignore[union-attr]
        assert heard.recognizer.opened[0].closed


def test_own_voice_is_told_as_such() -> None:
    with no_stream_left_open(Heard("own")) as heard:
        heard.hear(said(1, 2, 3, 4), quiet(1.0))
        assert {news.utterance.speaker for news in heard.of(PartialHeard)} == {"own"}  # type: ignore[union-attr]


class Withdrawn:
    """A segment that is open for a while, and then none."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self.withdrawn = False

    @property
    def open_segment(self) -> object:
        return None if self.withdrawn else self._segmenter.open_segment

    def spoken_since(self, frame: int) -> Mono:
        return self._segmenter.spoken_since(frame)


def test_speech_that_came_to_nothing_is_lost_once() -> None:
    recognizer, segmenter = WordStreams(WORDS), Segmenter(LevelDetector(), SETTINGS)
    listener, speech = Listener([recognizer], Verifier(), SAMPLERATE), Withdrawn(segmenter)
    segmenter.feed(said(1, 2, 3))
    assert listener.follow(speech) == [notices.HeardSoFar(0.0, "what is the")]  # type: ignore[arg-type]
    speech.withdrawn = True
    assert listener.follow(speech) == [SpeechLost(1), notices.HeardSoFar(0.0, "")]  # type: ignore[arg-type]
    assert listener.follow(speech) == []  # type: ignore[arg-type]
    assert recognizer.opened[0].closed


class Bills:
    """A purse that notes who asks for an account, and for what; nobody pays."""

    def __init__(self) -> None:
        self.segments: list[tuple[int, int]] = []

    def for_turn(self, generation: int) -> None:
        raise AssertionError("no turn is heard")

    def for_segment(self, number: int, revision: int) -> None:
        self.segments.append((number, revision))


def test_stream_is_charged_to_the_pause_that_it_will_be_handed_over_at() -> None:
    bills = Bills()
    heard = Heard(purse=bills)
    heard.hear(said(1, 2, 3, 4), quiet(0.3), said(5, 5, 5), quiet(1.0), said(1, 2, 3, 4), quiet(1.0))
    assert bills.segments == [(1, 1), (1, 2), (2, 1)]
    revisions = [(timed.segment.number, timed.segment.revision) for timed in heard.queued()]
    assert revisions == [(1, 2), (2, 1)]  # the first was void before anybody took it


def test_recogniser_that_cannot_begin_leaves_the_segment_to_its_end() -> None:
    class Refusing(WordStreams):
        def listen(self, heard: object) -> WordStream:
            raise BudgetSpentError("the budget is spent", backend=self.name)

    heard = Heard(recognizer=Refusing(WORDS))
    heard.hear(said(1, 2, 3, 4), quiet(1.0))
    assert [timed.stream for timed in heard.queued()] == [None]
    assert not heard.of(PartialHeard)


def test_what_was_understood_between_two_long_blocks_is_told_with_the_next_one() -> None:
    recognizer, segmenter = WordStreams(WORDS), Segmenter(LevelDetector(), SETTINGS)
    listener = Listener([recognizer], Verifier(), SAMPLERATE)
    segmenter.feed(said(1, 2, 3, 4))
    recognizer.wrongly = lambda text: ""
    assert listener.follow(segmenter) == []
    assert listener.judge(0.0)
    recognizer.opened[0].tell("what is the plan")
    segmenter.feed(said(4))
    shown, told = listener.follow(segmenter)
    assert shown == notices.HeardSoFar(0.0, "what is the plan")
    assert isinstance(told, PartialHeard)
    assert told.utterance.text == "what is the plan"
