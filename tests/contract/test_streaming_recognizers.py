"""What every recogniser keeps to that hears a segment while it is spoken, and every chain that begins with one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import numpy.typing as npt
import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Recognizer, StreamingRecognizer, Transcript
from sottovoce.speech.fallback.asr import recognizer_chain
from sottovoce.speech.fallback.health import Health
from sottovoce.speech.registry import open_recognizer
from tests.contract.opening import PATIENCE
from tests.emulator import Does, Emulator

pytest.importorskip("openai", reason='install the extra: pip install -e ".[openai]"')

WORDS = ["when", "do", "we", "launch", "the", "lamp"]
EAR = 16_000
#: How long (s) a word takes.
WORD_S = 0.3
PIECE = EAR // 10


class Spare:
    """The second of a chain: it hears how many tenths of a second there were."""

    name, samplerate = "spare", EAR

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def adapt(self, phrases: object, words: object = ()) -> None: ...

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        return Transcript(f"spare heard {len(audio) // PIECE}", "en", None, self.name)


def realtime(emulator: Emulator) -> Recognizer:
    return open_recognizer(
        "openai", base_url=emulator.openai_url, model="gpt-live-transcribe", language="en", **PATIENCE["asr"]
    )


def chained(emulator: Emulator) -> Recognizer:
    return recognizer_chain([realtime(emulator), Spare()], Health("asr", ["openai", "spare"]))


def hear(samples: npt.NDArray[np.int16], samplerate: int) -> str:
    """A word for each time that a word takes, of what is not silent."""
    heard = len(samples) / samplerate / WORD_S if np.abs(samples).max(initial=0) > 100 else 0
    return " ".join(WORDS[: round(heard)])


@pytest.fixture(params=[realtime, chained], ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest) -> Callable[[Emulator], Recognizer]:
    found: Callable[[Emulator], Recognizer] = request.param
    return found


@pytest.fixture
def recognizer(make: Callable[[Emulator], Recognizer], emulator: Emulator) -> Iterator[StreamingRecognizer]:
    emulator.hear = hear
    with closing(make(emulator)) as opened:
        assert isinstance(opened, StreamingRecognizer)
        opened.warm()
        yield opened


def speech(words: int) -> Mono:
    return (0.1 * np.random.default_rng(1).standard_normal(round(words * WORD_S * EAR))).astype(np.float32)


def pieces(audio: Mono) -> Iterator[Mono]:
    return (audio[at : at + PIECE] for at in range(0, len(audio), PIECE))


def test_partial_transcripts_grow_to_the_final_one(recognizer: StreamingRecognizer) -> None:
    partial: list[Transcript] = []
    with closing(recognizer.listen(partial.append)) as stream:
        for piece in pieces(speech(6)):
            stream.feed(piece)
        final = stream.finish(CancelToken())
    assert final == Transcript(" ".join(WORDS), "en", None, "openai")
    texts = [transcript.text for transcript in partial]
    assert len(texts) > 1
    assert all(later.startswith(earlier) for earlier, later in zip(texts, [*texts[1:], final.text], strict=True))
    assert len(set(texts)) == len(texts)


def test_words_are_told_while_the_segment_is_still_spoken(recognizer: StreamingRecognizer) -> None:
    told = threading.Event()
    with closing(recognizer.listen(lambda transcript: told.set())) as stream:
        stream.feed(speech(2))
        assert told.wait(10.0)  # before the segment is over


@pytest.mark.parametrize("frames", [0, 1, 800])
def test_segment_that_is_too_short_for_a_word_has_none(recognizer: StreamingRecognizer, frames: int) -> None:
    with closing(recognizer.listen(lambda transcript: None)) as stream:
        stream.feed(speech(1)[:frames])
        assert stream.finish(CancelToken()).text == ""


def test_nothing_is_told_after_the_end(recognizer: StreamingRecognizer, emulator: Emulator) -> None:
    emulator.script("segment", Does(every_s=0.02), Does(every_s=0.02))
    told: list[str] = []
    for number in (1, 2):
        stream = recognizer.listen(lambda transcript: told.append(transcript.text))
        stream.feed(speech(6))
        request = emulator.wait_for("segment", number)
        if number == 1:
            stream.finish(CancelToken())
        stream.close()
        after = len(told)
        assert number == 1 or request.gone.wait(10.0)
        assert len(told) == after


def test_cancelled_segment_ends_at_once_and_its_connection_with_it(
    recognizer: StreamingRecognizer, emulator: Emulator
) -> None:
    emulator.script("segment", Does(delay_s=60.0))
    cancel, heard = CancelToken(), []
    with closing(recognizer.listen(lambda transcript: None)) as stream:
        stream.feed(speech(3))
        worker = threading.Thread(target=lambda: heard.append(stream.finish(cancel).text))
        worker.start()
        request = emulator.wait_for("segment")
        cancel.cancel()
        worker.join(10.0)
        assert request.gone.wait(10.0)
    assert len(heard) == 1
    assert " ".join(WORDS).startswith(heard[0])
    assert recognizer.transcribe(speech(2), CancelToken()).text == "when do"


def test_segment_given_up_in_the_middle_closes_its_connection_and_leaves_the_next_one_alone(
    recognizer: StreamingRecognizer, emulator: Emulator
) -> None:
    first = recognizer.listen(lambda transcript: None)
    first.feed(speech(2))
    request = emulator.wait_for("segment")
    first.close()
    first.close()
    assert request.gone.wait(10.0)
    with closing(recognizer.listen(lambda transcript: None)) as second:
        second.feed(speech(3))
        assert second.finish(CancelToken()).text == "when do we"


def test_next_segment_may_begin_while_the_last_one_is_written(
    recognizer: StreamingRecognizer, emulator: Emulator
) -> None:
    emulator.script("segment", Does(every_s=0.02))
    with (
        closing(recognizer.listen(lambda transcript: None)) as first,
        closing(recognizer.listen(lambda transcript: None)) as second,
        ThreadPoolExecutor(1) as pool,
    ):
        first.feed(speech(6))
        emulator.wait_for("segment")
        ending = pool.submit(first.finish, CancelToken())
        second.feed(speech(2))
        assert second.finish(CancelToken()).text == "when do"
        assert ending.result(10.0).text == " ".join(WORDS)


def test_feeding_waits_for_nobody(recognizer: StreamingRecognizer, emulator: Emulator) -> None:
    emulator.script("segment", Does(stall_after=0))
    cancel = CancelToken()
    with closing(recognizer.listen(lambda transcript: None)) as stream:
        for piece in pieces(np.tile(speech(6), 60)):  # far more than a socket holds
            stream.feed(piece)
        cancel.cancel()
        assert stream.finish(cancel).text == ""


def test_close_while_busy_is_idempotent_and_leaves_no_thread(
    recognizer: StreamingRecognizer, emulator: Emulator
) -> None:
    emulator.script("segment", Does(delay_s=60.0))
    before = set(threading.enumerate())
    outcome: list[str] = []
    stream = recognizer.listen(lambda transcript: None)
    stream.feed(speech(3))

    def finish() -> None:
        try:
            outcome.append(stream.finish(CancelToken()).text)
        except BackendError as error:
            outcome.append(error.message)

    worker = threading.Thread(target=finish)
    worker.start()
    emulator.wait_for("segment")
    recognizer.close()
    recognizer.close()
    worker.join(10.0)
    assert len(outcome) == 1
    stream.close()
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("sottovoce")]
    assert not [thread for thread in ours if thread not in before or thread.name.endswith("network")]


@pytest.mark.parametrize(
    "does", [Does(error_after=2), Does(cut_after=2), Does(end_after=2), Does(garbage=b"{nonsense"), Does(status=503)]
)
def test_failure_in_the_middle_is_an_error_or_the_next_one_of_a_chain_hears_all(
    recognizer: StreamingRecognizer, emulator: Emulator, does: Does
) -> None:
    emulator.script("segment", does, does)  # a connection that was lost is tried a second time
    with closing(recognizer.listen(lambda transcript: None)) as stream:
        for piece in pieces(speech(6)):
            stream.feed(piece)
        if recognizer.name == "openai" and type(recognizer).__name__ == "RealtimeRecognizer":
            with pytest.raises(BackendError) as caught:
                stream.finish(CancelToken())
            assert caught.value.backend == "openai"
            assert "private" not in f"{caught.value} {caught.value.hint}"
        else:
            assert stream.finish(CancelToken()) == Transcript("spare heard 18", "en", None, "spare")
