"""Partial transcripts from a recogniser that has none, pass by pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import numpy as np
import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import StreamingRecognizer, Transcript
from sottovoce.speech.rolling import SLOW_PASSES, RollingRecognizer
from sottovoce.speech.usage import _ACCOUNT, Usage, charged_to

RATE = 1000


class Counting:
    """Understands how many frames it was given; every pass waits until it is let through, or cancelled."""

    name = "counting"
    samplerate = RATE

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.passes: list[int] = []
        self.busy = 0
        self.waits = True
        self.fails = False

    def warm(self) -> None: ...

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None: ...

    def close(self) -> None:
        self.let.release(100)

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        self.busy += 1
        assert self.busy == 1, "two threads at once"
        self.passes.append(len(audio))
        self.begun.release()
        if self.waits:
            cancel.on_cancel(self.let.release)
            assert self.let.acquire(timeout=10.0)
        self.busy -= 1
        if self.fails:
            raise BackendError("broken", backend=self.name)
        return Transcript(str(len(audio)), "en", None, self.name)


class HandClock:
    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns


class Told:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self._condition = threading.Condition()

    def __call__(self, transcript: Transcript) -> None:
        with self._condition:
            self.texts.append(transcript.text)
            self._condition.notify_all()

    def wait(self, count: int) -> list[str]:
        with self._condition:
            assert self._condition.wait_for(lambda: len(self.texts) >= count, 10.0), self.texts
            return self.texts


@contextmanager
def rolling(**settings: float) -> Iterator[tuple[RollingRecognizer, Counting, HandClock]]:
    recognizer, clock = Counting(), HandClock()
    opened = RollingRecognizer(recognizer, clock=clock, **settings)
    assert isinstance(opened, StreamingRecognizer)
    before = set(threading.enumerate())
    try:
        yield opened, recognizer, clock
    finally:
        opened.close()
        assert set(threading.enumerate()) <= before


def sound(frames: int) -> Mono:
    return np.zeros(frames, np.float32)


def test_all_that_was_said_is_heard_again_once_enough_is_new_and_the_last_pass_is_done() -> None:
    with rolling(every_s=0.2) as (opened, recognizer, _):
        told = Told()
        stream = opened.listen(told)
        stream.feed(sound(100))
        stream.feed(sound(100))
        assert recognizer.begun.acquire(timeout=10.0)
        for _ in range(5):
            stream.feed(sound(100))
        recognizer.let.release()
        assert recognizer.begun.acquire(timeout=10.0)
        recognizer.let.release()
        assert told.wait(2) == ["200", "700"]
        stream.feed(sound(199))
        assert recognizer.passes == [200, 700]
        stream.close()


def test_final_transcript_cancels_the_pass_and_hears_everything() -> None:
    with rolling(every_s=0.2) as (opened, recognizer, _):
        told = Told()
        stream = opened.listen(told)
        stream.feed(sound(200))
        assert recognizer.begun.acquire(timeout=10.0)
        recognizer.waits = False
        stream.feed(sound(50))
        assert stream.finish(CancelToken()).text == "250"
        stream.close()
        assert told.texts == []


def test_another_thread_s_final_does_not_wait_for_a_pass_either() -> None:
    with rolling(every_s=0.2) as (opened, recognizer, _):
        stream = opened.listen(Told())
        stream.feed(sound(200))
        assert recognizer.begun.acquire(timeout=10.0)
        recognizer.waits = False
        assert opened.transcribe(sound(10), CancelToken()).text == "10"
        stream.close()


def test_nothing_is_told_after_the_end() -> None:
    with rolling(every_s=0.1) as (opened, recognizer, _):
        told = Told()
        stream = opened.listen(told)
        stream.feed(sound(100))
        assert recognizer.begun.acquire(timeout=10.0)
        stream.close()
        stream.close()
        follower = Told()
        other = opened.listen(follower)
        other.feed(sound(300))
        recognizer.let.release(2)
        assert follower.wait(1) == ["300"]
        assert told.texts == []
        other.close()


def test_long_segment_is_not_heard_over_and_over() -> None:
    with rolling(every_s=0.1, longest_s=0.5) as (opened, recognizer, _):
        recognizer.waits = False
        told = Told()
        stream = opened.listen(told)
        stream.feed(sound(400))
        told.wait(1)
        stream.feed(sound(200))
        assert stream.finish(CancelToken()).text == "600"
        assert recognizer.passes == [400, 600]


def hear(opened: RollingRecognizer, recognizer: Counting, during: Callable[[], None]) -> None:
    told = Told()
    stream = opened.listen(told)
    stream.feed(sound(200))
    assert recognizer.begun.acquire(timeout=10.0)
    during()
    recognizer.let.release()
    told.wait(1)
    stream.close()


def test_recogniser_that_is_slower_than_speech_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    with rolling(every_s=0.2) as (opened, recognizer, clock):

        def late() -> None:
            clock.ns += 300_000_000

        for _ in range(SLOW_PASSES):
            assert not opened.too_slow
            hear(opened, recognizer, late)
        assert opened.too_slow
        recognizer.waits = False
        stream = opened.listen(Told())
        stream.feed(sound(1000))
        assert stream.finish(CancelToken()).text == "1000"
        assert recognizer.passes == [200] * SLOW_PASSES + [1000]
    assert [record.message.split()[0] for record in caplog.records] == ["too"]


def test_one_slow_pass_is_forgiven() -> None:
    with rolling(every_s=0.2) as (opened, recognizer, clock):

        def late() -> None:
            clock.ns += 300_000_000

        for _ in range(SLOW_PASSES):
            hear(opened, recognizer, late)
            hear(opened, recognizer, lambda: None)
        assert not opened.too_slow


def test_failing_pass_is_not_repeated_and_the_final_says_why() -> None:
    with rolling(every_s=0.1) as (opened, recognizer, _):
        recognizer.fails, recognizer.waits = True, False
        told = Told()
        stream = opened.listen(told)
        stream.feed(sound(100))
        assert recognizer.begun.acquire(timeout=10.0)
        with pytest.raises(BackendError, match="broken"):
            stream.finish(CancelToken())
        assert told.texts == []
        assert len(recognizer.passes) == 2


class Account:
    def admit(self, part: str, provider: str) -> None: ...

    def opened(self) -> None: ...

    def closed(self, usage: Usage | None) -> None: ...


def test_whoever_has_begun_the_segment_pays_for_its_passes() -> None:
    account, paying = Account(), []

    class Paid(Counting):
        def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
            paying.append(_ACCOUNT.get())
            return super().transcribe(audio, cancel)

    recognizer = Paid()
    recognizer.waits = False
    with closing(RollingRecognizer(recognizer, every_s=0.1)) as opened:
        told = Told()
        with charged_to(account):
            stream = opened.listen(told)
        stream.feed(sound(200))
        told.wait(1)
        stream.close()
    assert paying == [account]
