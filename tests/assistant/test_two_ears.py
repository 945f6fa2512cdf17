"""Two ears at one pipeline: numbers in the order of speech, whose voice it is, and turns that do not mix."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np

from sottovoce.assistant import notices
from sottovoce.assistant.context import DialogueContext
from sottovoce.assistant.ears import SecondEar
from sottovoce.assistant.messages import (
    Answer,
    Hasten,
    Heard,
    Ignore,
    PartialHeard,
    SegmentSettled,
    SpeakerKind,
    SpeechWentOn,
    Take,
    Thesis,
    ThesisMade,
    Utterance,
)
from sottovoce.assistant.numbering import NumberedSegmenter
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.assistant.turn import TurnMachine
from sottovoce.core.types import Mono
from sottovoce.speech.segmenter import OpenSegment, Segment, Segmenter, SegmenterSettings, SpeechStarted
from sottovoce.speech.speaker import AlwaysWearer, SpeakerVerdict
from tests.support.fakes import (
    SAMPLERATE,
    BlockSegmenter,
    LevelDetector,
    ListGenerator,
    Notebook,
    ScriptedInput,
    SteppedOutput,
    ToneSynthesizer,
    WordRecognizer,
    said,
)

PLAN = "what is the plan"


def utterance(number: int, speaker: SpeakerKind = "other", text: str = PLAN) -> Utterance:
    ear = "microphone" if speaker == "own" else "loopback"
    return Utterance(number, speaker, text, "en", 0.9, number * 5.0, number * 5.0 + 2.0, (), "test", "", ear)  # type: ignore[arg-type]


def machine() -> TurnMachine:
    return TurnMachine(4, DialogueContext(), "answer", lambda text, language: text.endswith("plan"))


def segmenter() -> Segmenter:
    return Segmenter(LevelDetector(), SegmenterSettings(min_segment_ms=1500))


def numbers_of(events: object) -> list[int]:
    return [event.number for event in events if isinstance(event, Segment)]  # type: ignore[attr-defined]


def test_segments_of_both_ears_are_numbered_in_the_order_in_which_they_begin() -> None:
    numbers = count(1)
    first, second = NumberedSegmenter(segmenter(), numbers), NumberedSegmenter(segmenter(), numbers)
    silence = np.zeros(1000, np.float32)
    first.feed(said(1, 1, 1))  # begins first, and ends last
    assert first.open_segment is not None
    assert first.open_segment.number == 1
    second.feed(said(1, 1, 1))
    assert second.open_segment is not None
    assert second.open_segment.number == 2
    assert numbers_of(second.feed(silence)) == [2]
    assert numbers_of(first.feed(silence)) == [1]
    assert numbers_of(second.feed(np.concatenate([said(1, 1, 1), silence]))) == [3]


def test_number_of_what_came_to_nothing_is_not_used_again() -> None:
    class Scripted(BlockSegmenter):
        """Begins twice to speak before its first segment counts."""

        script: Iterator[list[object]]
        open_segment: OpenSegment | None = None

        def feed(self, chunk: Mono) -> list[object]:  # type: ignore[override]
            return next(self.script)

    audio = np.zeros(10, np.float32)
    numbers, scripted = count(1), Scripted()
    numbered = NumberedSegmenter(scripted, numbers)
    scripted.script = iter([[SpeechStarted(0.0)], [SpeechStarted(2.0)], [Segment(audio, 2.0, 3.0, 2.9, 1)]])
    numbered.feed(audio)
    scripted.open_segment = OpenSegment(1, 0, 100)  # long enough to count, and noise after all
    assert numbered.open_segment == OpenSegment(1, 0, 100)
    assert next(numbers) == 2  # the other ear's
    numbered.feed(audio)
    assert numbers_of(numbered.feed(audio)) == [3]


def test_hastening_reaches_the_segmenter_under_its_own_number() -> None:
    class Told(BlockSegmenter):
        told: tuple[int, int] = (0, 0)

        def hasten(self, number: int, revision: int) -> None:
            self.told = (number, revision)

    numbers, told = count(7), Told()
    numbered = NumberedSegmenter(told, numbers)
    assert numbers_of(numbered.feed(np.zeros(10, np.float32))) == [7]
    numbered.hasten(8, 1)
    assert told.told == (0, 0), "of another ear"
    numbered.hasten(7, 2)
    assert told.told == (1, 2)


def test_what_the_wearer_says_meanwhile_leaves_the_other_ears_question_alone() -> None:
    turns = machine()
    asked = utterance(1)
    assert turns.handle(Heard(asked, 1, settled=False)) == [Hasten(1, 1), Answer(1, asked, (), speculative=True)]
    assert turns.handle(ThesisMade(Thesis(1, 1, "ship in June")))
    assert turns.handle(Heard(utterance(2, "own", "yes"), 1, settled=False)) == []
    commands = turns.handle(SegmentSettled(2, 1, 7))
    assert isinstance(commands[0], Ignore)
    commands = turns.handle(SegmentSettled(1, 1, 7))
    assert isinstance(commands[0], Take), "the pause of the one has not made the other's forgotten"


def test_wearer_that_goes_on_voids_nothing_of_the_other_ear() -> None:
    turns = machine()
    turns.handle(Heard(utterance(1), 1, settled=False))
    turns.handle(Heard(utterance(2, "own", "yes"), 1, settled=False))
    turns.handle(SpeechWentOn(2, 1))
    assert turns.speculative_generation == 1
    turns.handle(SpeechWentOn(1, 1))
    assert turns.speculative_generation is None


def test_partial_of_a_longer_question_counts_after_the_wearer_has_spoken() -> None:
    turns = machine()
    turns.handle(Heard(utterance(2, "own", "yes")))
    assert [type(command) for command in turns.handle(PartialHeard(utterance(1)))] == [Answer]
    assert turns.stale == 0
    turns.handle(Heard(utterance(3), 1, settled=False))
    turns.handle(SegmentSettled(3, 1, 7))
    assert turns.handle(PartialHeard(utterance(3))) == []
    assert turns.stale == 1, "that one is over"


class Beside:
    """The other ear of a scripted one: what the test says is played while a block is heard."""

    samplerate, realtime = SAMPLERATE, True

    def __init__(self) -> None:
        self.played: list[int] = []

    def read(self) -> Mono:
        block = np.zeros(2 * SAMPLERATE, np.float32)
        block[0] = self.played.pop(0)
        return block

    def close(self) -> None: ...


class WordSegmenter(BlockSegmenter):
    """Takes a block for a segment if a word is in it."""

    def feed(self, chunk: Mono) -> list[object]:  # type: ignore[override]
        if chunk[0]:
            return list(super().feed(chunk))
        self._at_s += len(chunk) / SAMPLERATE
        return []


@contextmanager
def session(verifier: object) -> Iterator[tuple[ScriptedInput, Beside, Notebook]]:
    ears, beside, seen = ScriptedInput(), Beside(), Notebook()
    parts = Parts(
        ears,
        WordSegmenter(),
        verifier,  # type: ignore[arg-type]
        [WordRecognizer({1: "first", 2: "second"})] * 2,
        ListGenerator({"first": ["aa"], "second": ["bb"]}),
        ToneSynthesizer(),
        SteppedOutput(),
        second=SecondEar(beside, WordSegmenter()),
    )
    pipeline = Pipeline(parts, PipelineSettings(lossless=False, pause_s=0.1), seen)
    before = set(threading.enumerate())
    pipeline.start()
    try:
        yield ears, beside, seen
        ears.end()
        assert pipeline.wait(10.0)
    finally:
        assert pipeline.close(5.0) == ()
    assert set(threading.enumerate()) <= before


def converse(ears: ScriptedInput, beside: Beside, seen: Notebook) -> None:
    """The first word at the microphone, then the second one from the machine."""
    beside.played = [0, 2]
    ears.say(1)
    seen.wait_for(notices.UtteranceHeard)
    ears.say(0)
    seen.wait_for(notices.UtteranceHeard, 2)


def heard(seen: Notebook) -> list[tuple[str, str, str, int]]:
    found = [notice for notice in seen.of(notices.UtteranceHeard) if isinstance(notice, notices.UtteranceHeard)]
    utterances = sorted((notice.utterance for notice in found), key=lambda utterance: utterance.number)
    return [(one.ear, one.speaker, one.text, one.number) for one in utterances]


def test_what_the_machine_plays_is_anothers_and_the_microphone_is_judged() -> None:
    with session(AlwaysWearer()) as (ears, beside, seen):
        converse(ears, beside, seen)
    assert heard(seen) == [("microphone", "own", "first", 1), ("loopback", "other", "second", 2)]
    ended = seen.of(notices.TurnEnded)
    assert len(ended) == 1, "what the wearer says raises no turn; what is played does"


def test_nobody_is_asked_whose_voice_the_machine_plays() -> None:
    class Suspicious:
        def verify(self, audio: Mono, samplerate: int) -> SpeakerVerdict:
            assert round(float(audio[0])) == 1, "that was the loopback"
            return SpeakerVerdict("own", 1.0)

    with session(Suspicious()) as (ears, beside, seen):
        converse(ears, beside, seen)
    assert {(ear, speaker) for ear, speaker, _, _ in heard(seen)} == {("microphone", "own"), ("loopback", "other")}


def test_each_ear_tells_who_speaks() -> None:
    with session(AlwaysWearer()) as (ears, beside, seen):
        converse(ears, beside, seen)
    began = [notice.ear for notice in seen.of(notices.SpeechBegan) if isinstance(notice, notices.SpeechBegan)]
    assert sorted(began) == ["loopback", "microphone"]
