"""Chains of backends: who is asked when, what of a broken answer is kept, and who is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, BudgetSpentError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import RecognizerStream, StreamingRecognizer, Transcript
from sottovoce.speech.fallback.asr import FallbackRecognizer, recognizer_chain
from sottovoce.speech.fallback.breaker import Breaker, BreakerPolicy
from sottovoce.speech.fallback.health import Changed, Health
from sottovoce.speech.fallback.llm import FallbackGenerator
from sottovoce.speech.fallback.tts import FallbackSynthesizer
from sottovoce.speech.llm.base import Delta, Question

S = 1_000_000_000
POLICY = BreakerPolicy(rest_s=5.0, longest_rest_s=60.0)


class SteppedClock:
    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns


class Scripted:
    """A generator that says pieces of text; an exception among them is raised."""

    def __init__(self, name: str, *answers: Sequence[str | BaseException]) -> None:
        self.name = name
        self.answers = list(answers)
        self.asked: list[Question] = []
        self.warmed = self.closed = 0
        self.warm_error: BackendError | None = None

    def warm(self) -> None:
        self.warmed += 1
        if self.warm_error is not None:
            raise self.warm_error

    def close(self) -> None:
        self.closed += 1

    def generate(self, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        self.asked.append(question)
        for piece in self.answers.pop(0):
            if cancel.cancelled:
                return
            if isinstance(piece, BaseException):
                raise piece
            yield Delta(piece, self.name)


def broken(name: str, retryable: bool = True, retry_after_s: float | None = None) -> BackendError:
    return BackendError(f"{name} is broken", backend=name, retryable=retryable, retry_after_s=retry_after_s)


class Chain:
    """Two scripted generators with a clock that stands still, and what the listener was told."""

    def __init__(self, first: Scripted, second: Scripted) -> None:
        self.clock = SteppedClock()
        self.health = Health("llm", [first.name, second.name], policy=POLICY, clock=self.clock)
        self.generator = FallbackGenerator([first, second], self.health)
        self.told: list[BackendError | Changed] = []
        self.health.listen(self.told.append)

    def ask(self, max_theses: int = 4, cancel: CancelToken | None = None) -> list[tuple[str, str]]:
        deltas = self.generator.generate(Question("when", "en", max_theses), cancel or CancelToken())
        return [(delta.text.removesuffix("\n"), delta.source) for delta in deltas if delta.text]


def test_breaker_lets_one_call_try_after_a_rest_that_doubles() -> None:
    breaker = Breaker(POLICY)
    assert breaker.allows(0)
    breaker.failed(0)
    assert not breaker.allows(5 * S - 1)
    assert breaker.allows(5 * S)
    assert not breaker.allows(5 * S)  # one is trying
    breaker.failed(5 * S)
    assert not breaker.allows(15 * S - 1)
    assert breaker.allows(15 * S)
    breaker.abandoned()
    assert breaker.allows(15 * S)
    breaker.succeeded()
    assert breaker.allows(15 * S)
    assert breaker.allows(15 * S)


def test_breaker_rests_long_after_what_no_retry_mends_and_as_long_as_the_service_wishes() -> None:
    hopeless, wished = Breaker(POLICY), Breaker(POLICY)
    hopeless.failed(0, retryable=False)
    assert (hopeless.allows(60 * S - 1), hopeless.allows(60 * S)) == (False, True)
    wished.failed(0, wish_s=90.0)
    assert (wished.allows(90 * S - 1), wished.allows(90 * S)) == (False, True)


@given(st.lists(st.sampled_from(["fails", "works", "waits", "abandons"]), max_size=40))
def test_breaker_is_never_shut_for_longer_than_its_longest_rest(events: list[str]) -> None:
    breaker, now_ns = Breaker(POLICY), 0
    for event in events:
        if event == "waits":
            now_ns += 3 * S
        elif breaker.allows(now_ns):
            if event == "fails":
                breaker.failed(now_ns)
            elif event == "works":
                breaker.succeeded()
            else:
                breaker.abandoned()
    assert breaker.rests_until_ns <= now_ns + 60 * S
    assert breaker.allows(now_ns + 60 * S)


def test_second_answers_when_the_first_fails_before_its_first_word() -> None:
    failure = broken("a")
    chain = Chain(Scripted("a", [failure]), Scripted("b", ["In June\n", "In Europe\n"]))
    assert chain.ask() == [("In June", "b"), ("In Europe", "b")]
    assert chain.told == [failure, Changed("llm", "b")]


def test_broken_answer_is_gone_on_with_and_nothing_is_said_twice() -> None:
    second = Scripted("b", ["in june!\n", "In Europe\n"])
    chain = Chain(Scripted("a", ["In June\nIn Eu", broken("a")]), second)
    assert chain.ask() == [("In June", "a"), ("In Europe", "b")]
    assert second.asked[0].said == ("In June",)
    assert second.asked[0].max_theses == 3


def test_answer_that_breaks_after_its_last_thesis_is_whole() -> None:
    second = Scripted("b")
    chain = Chain(Scripted("a", ["In June\nIn Europe\n", broken("a")]), second)
    assert chain.ask(max_theses=2) == [("In June", "a"), ("In Europe", "a")]
    assert second.asked == []


def test_first_words_are_announced_though_only_lines_are_given() -> None:
    generator = FallbackGenerator([Scripted("a", ["In", " June"])], Health("llm", ["a"]))
    assert list(generator.generate(Question("when", "en", 4), CancelToken())) == [
        Delta("", "a"),
        Delta("In June\n", "a"),
    ]


def test_first_rests_after_a_failure_and_is_tried_again() -> None:
    first = Scripted("a", [broken("a")], ["A\n"])
    chain = Chain(first, Scripted("b", ["B\n"], ["B\n"]))
    chain.ask()
    chain.clock.ns = 4 * S
    assert chain.ask() == [("B", "b")]
    assert len(first.asked) == 1
    chain.clock.ns = 5 * S
    assert chain.ask() == [("A", "a")]
    assert chain.told[1:] == [Changed("llm", "b"), Changed("llm", "a")]


def test_if_all_rest_all_are_asked_and_the_last_error_is_raised() -> None:
    chain = Chain(Scripted("a", [broken("a")], [broken("a")]), Scripted("b", [broken("b")], ["B\n"]))
    with pytest.raises(BackendError, match="b is broken"):
        chain.ask()
    assert [str(news) for news in chain.told] == ["a is broken"]  # the other is told by whoever catches it
    assert chain.ask() == [("B", "b")]


def test_no_answer_is_an_answer() -> None:
    second = Scripted("b")
    assert Chain(Scripted("a", []), second).ask() == []
    assert second.asked == []


def test_cancelled_question_goes_to_nobody_else_and_leaves_the_breaker_as_it_was() -> None:
    cancel = CancelToken()
    first, second = Scripted("a", [broken("a")], ["A\n"], ["A\n"]), Scripted("b", ["B\n"])
    chain = Chain(first, second)
    chain.ask()
    chain.clock.ns = 5 * S
    cancel.cancel()
    assert chain.ask(cancel=cancel) == []
    assert chain.ask() == [("A", "a")]
    assert len(second.asked) == 1


def test_reader_that_leaves_ends_the_answer_without_blame() -> None:
    chain = Chain(Scripted("a", ["A\n", "B\n"], ["C\n"]), Scripted("b"))
    stream = chain.generator.generate(Question("when", "en", 4), CancelToken())
    assert [next(stream).text, next(stream).text] == ["", "A\n"]
    stream.close()  # type: ignore[attr-defined]
    assert chain.ask() == [("C", "a")]


def test_all_are_warmed_and_one_that_cannot_be_rests() -> None:
    first, second = Scripted("a", ["A\n"]), Scripted("b", ["B\n"])
    first.warm_error = broken("a", retryable=False)
    chain = Chain(first, second)
    chain.generator.warm()
    assert (first.warmed, second.warmed) == (1, 1)
    assert chain.ask() == [("B", "b")]
    second.warm_error = broken("b")
    with pytest.raises(BackendError, match="a is broken"):
        chain.generator.warm()


def test_all_are_closed() -> None:
    first, second = Scripted("a"), Scripted("b")
    Chain(first, second).generator.close()
    assert (first.closed, second.closed) == (1, 1)


def test_new_listener_is_told_who_answers_if_it_is_not_the_preferred_one() -> None:
    chain = Chain(Scripted("a", [broken("a")]), Scripted("b", ["B\n"]))
    chain.ask()
    told: list[object] = []
    chain.health.listen(told.append)
    assert told == [Changed("llm", "b")]


class Ear:
    """A recogniser that hears its own name, or fails."""

    def __init__(self, name: str, samplerate: int = 16_000, fails: int = 0) -> None:
        self.name, self.samplerate, self.fails = name, samplerate, fails
        self.expected: Sequence[str] = ()

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None:
        self.expected = phrases

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        if self.fails:
            self.fails -= 1
            raise broken(self.name)
        return Transcript(self.name, "en", None, self.name)


def test_second_recogniser_hears_when_the_first_fails() -> None:
    told: list[object] = []
    health = Health("asr", ["a", "b"], policy=POLICY, clock=SteppedClock())
    health.listen(told.append)
    chain = FallbackRecognizer([Ear("a", fails=1), Ear("b")], health)
    silence = np.zeros(160, np.float32)
    assert [chain.transcribe(silence, CancelToken()).backend for _ in range(2)] == ["b", "b"]
    assert told[1:] == [Changed("asr", "b")]


def test_recognisers_of_several_workers_share_what_they_know() -> None:
    health = Health("asr", ["a", "b"], policy=POLICY, clock=SteppedClock())
    preferred = [Ear("a", fails=1), Ear("a")]
    chains = [FallbackRecognizer([ear, Ear("b")], health) for ear in preferred]
    heard: list[str] = []
    for chain in chains:
        worker = threading.Thread(
            target=lambda chain=chain: heard.append(chain.transcribe(np.zeros(1, np.float32), CancelToken()).backend)
        )
        worker.start()
        worker.join(10.0)
    assert heard == ["b", "b"]


def test_if_no_recogniser_hears_the_last_error_is_raised() -> None:
    chain = FallbackRecognizer([Ear("a", fails=1), Ear("b", fails=1)], Health("asr", ["a", "b"]))
    with pytest.raises(BackendError, match="b is broken"):
        chain.transcribe(np.zeros(1, np.float32), CancelToken())


def test_all_recognisers_expect_the_phrases() -> None:
    ears = [Ear("a"), Ear("b")]
    FallbackRecognizer(ears, Health("asr", ["a", "b"])).adapt(["when"])
    assert [ear.expected for ear in ears] == [["when"], ["when"]]


def test_recognisers_of_different_samplerates_make_no_chain() -> None:
    with pytest.raises(ConfigError, match="different samplerates"):
        FallbackRecognizer([Ear("a"), Ear("b", 8000)], Health("asr", ["a", "b"]))


class QuickEar(Ear):
    """A recogniser that hears while somebody speaks: how many pieces there were so far. It may fail at one of them."""

    def __init__(self, name: str, fails_at: int | None = None, fails: int = 0) -> None:
        super().__init__(name, fails=fails)
        self.fails_at = fails_at
        self.streams: list[QuickStream] = []

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        super().transcribe(audio, cancel)
        return Transcript(f"{self.name} {len(audio)}", "en", None, self.name)

    def listen(self, heard: Callable[[Transcript], None]) -> RecognizerStream:
        if self.fails:
            self.fails -= 1
            raise broken(self.name)
        self.streams.append(QuickStream(self, heard))
        return self.streams[-1]


class QuickStream:
    def __init__(self, ear: QuickEar, heard: Callable[[Transcript], None]) -> None:
        self.ear, self.heard, self.pieces, self.closed = ear, heard, 0, 0

    def feed(self, audio: Mono) -> None:
        self.pieces += 1
        if self.pieces != self.ear.fails_at:
            self.heard(Transcript(str(self.pieces), "en", None, self.ear.name))

    def finish(self, cancel: CancelToken) -> Transcript:
        if self.ear.fails_at is not None and self.pieces >= self.ear.fails_at:
            raise broken(self.ear.name)
        return Transcript(str(self.pieces), "en", None, self.ear.name)

    def close(self) -> None:
        self.closed += 1


class QuickChain:
    """A chain whose first one hears while somebody speaks, with a clock that stands still."""

    def __init__(self, first: Ear, second: Ear) -> None:
        self.clock = SteppedClock()
        self.health = Health("asr", [first.name, second.name], policy=POLICY, clock=self.clock)
        self.told: list[BackendError | Changed] = []
        self.health.listen(self.told.append)
        self.recognizer = recognizer_chain([first, second], self.health)
        self.partial: list[Transcript] = []

    def hear(self, pieces: int, cancel: CancelToken | None = None) -> Transcript:
        assert isinstance(self.recognizer, StreamingRecognizer)
        stream = self.recognizer.listen(self.partial.append)
        try:
            for _ in range(pieces):
                stream.feed(np.zeros(10, np.float32))
            return stream.finish(cancel or CancelToken())
        finally:
            stream.close()


def test_chain_hears_while_somebody_speaks_if_its_first_one_does() -> None:
    quick, slow = QuickEar("a"), Ear("b")
    assert isinstance(recognizer_chain([quick, slow], Health("asr", ["a", "b"])), StreamingRecognizer)
    assert not isinstance(recognizer_chain([slow, quick], Health("asr", ["b", "a"])), StreamingRecognizer)
    chain = QuickChain(quick, slow)
    assert chain.hear(3).text == "3"
    assert [transcript.text for transcript in chain.partial] == ["1", "2", "3"]
    assert chain.told == []


def test_next_one_hears_the_whole_segment_if_the_first_fails_in_the_middle() -> None:
    chain = QuickChain(QuickEar("a", fails_at=2), QuickEar("b"))
    assert chain.hear(3) == Transcript("b 30", "en", None, "b")
    assert [str(news) for news in chain.told[:1]] == ["a is broken"]
    assert chain.told[1:] == [Changed("asr", "b")]


def test_next_one_hears_the_segment_if_the_first_cannot_begin_it() -> None:
    chain = QuickChain(QuickEar("a", fails=1), QuickEar("b"))
    assert chain.hear(2).text == "b 20"


def test_next_one_hears_segments_as_they_are_spoken_while_the_first_rests() -> None:
    first, second = QuickEar("a", fails=1), QuickEar("b")
    chain = QuickChain(first, second)
    chain.hear(1)
    assert chain.hear(2).text == "2"
    assert (len(first.streams), len(second.streams)) == (0, 1)
    chain.clock.ns = 5 * S
    assert chain.hear(3) == Transcript("3", "en", None, "a")


def test_segment_that_is_given_up_blames_nobody_and_the_first_is_tried_again() -> None:
    first = QuickEar("a", fails=1)
    chain = QuickChain(first, QuickEar("b"))
    chain.hear(1)
    chain.clock.ns = 5 * S
    assert isinstance(chain.recognizer, StreamingRecognizer)
    stream = chain.recognizer.listen(chain.partial.append)
    stream.feed(np.zeros(10, np.float32))
    stream.close()
    stream.close()
    assert first.streams[0].closed
    assert chain.hear(1).backend == "a"


def test_if_no_recogniser_of_a_stream_hears_the_last_error_is_raised() -> None:
    with pytest.raises(BackendError, match="b is broken"):
        QuickChain(QuickEar("a", fails_at=1), Ear("b", fails=1)).hear(1)


class Voice:
    """A synthesiser that says the numbers of its frames, with a pause in the middle; it may break off."""

    def __init__(self, name: str, samplerate: int = 1000, breaks_after: int | None = None) -> None:
        self.name, self.samplerate, self.breaks_after = name, samplerate, breaks_after

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        frames = np.arange(1, self.samplerate + 1, dtype=np.float32)
        pause = slice(int(0.55 * self.samplerate), int(0.6 * self.samplerate))
        frames[pause] = 0
        for at in range(0, len(frames), 100):
            if at == self.breaks_after:
                raise broken(self.name)
            yield frames[at : at + 100]


class Doubler:
    """A converter to twice the samplerate."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        assert to_hz == 2 * from_hz

    def process(self, x: Mono) -> Mono:
        return np.repeat(x, 2)

    def flush(self) -> Mono:
        return np.zeros(0, np.float32)


def spoken(*voices: Voice) -> Mono:
    chain = FallbackSynthesizer(voices, Health("tts", [voice.name for voice in voices]), Doubler)
    return np.concatenate(list(chain.synthesize("text", "en", CancelToken())))


def test_second_voice_speaks_when_the_first_fails_before_its_first_sound() -> None:
    assert np.array_equal(spoken(Voice("a", breaks_after=0), Voice("b")), spoken(Voice("b")))


def test_second_voice_goes_on_at_a_pause_near_where_the_first_broke_off() -> None:
    sound = spoken(Voice("a", breaks_after=500), Voice("b"))
    assert np.array_equal(sound[:500], np.arange(1, 501, dtype=np.float32))
    assert not sound[500:520].any()  # it begins within the pause
    assert np.array_equal(sound[-400:], np.arange(601, 1001, dtype=np.float32))  # and leaves nothing out behind it
    assert 900 <= len(sound) <= 1000


def test_second_voice_takes_the_samplerate_of_the_first() -> None:
    sound = spoken(Voice("a", samplerate=2000, breaks_after=0), Voice("b"))
    assert len(sound) == 2000


def test_voice_that_breaks_off_at_its_end_leaves_little_to_say() -> None:
    assert len(spoken(Voice("a", breaks_after=900), Voice("b"))) <= 1000 + 150


def test_if_no_voice_speaks_the_last_error_is_raised() -> None:
    with pytest.raises(BackendError, match="b is broken"):
        spoken(Voice("a", breaks_after=0), Voice("b", breaks_after=0))


def test_backend_that_may_not_be_paid_is_passed_over_and_does_not_rest() -> None:
    refused = BudgetSpentError("the budget is spent", backend="first")
    chain = Chain(Scripted("first", [refused], ["one\n"]), Scripted("second", ["two\n"]))
    assert chain.ask() == [("two", "second")]
    assert chain.told == [Changed("llm", "second")]
    assert chain.ask() == [("one", "first")]
