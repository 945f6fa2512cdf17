"""What the parts of a session may give that no session wants; docs/architecture.md says what becomes of each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sottovoce.assistant import notices
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.assistant.theses import MAX_THESIS_CHARS
from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.core.types import Mono
from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.speaker import NotEnrolled
from tests.assistant.test_pipeline import Session, running
from tests.support.fakes import SAMPLERATE, BlockSegmenter, ToneSynthesizer

CHUNK = np.full(100, 0.5, np.float32)


class Writer:
    """Writes a text, in pieces of so many characters."""

    name = "writer"

    def __init__(self, text: str, piece: int = 5) -> None:
        self._pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
        self.given = 0

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def generate(self, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        for piece in self._pieces:
            if cancel.cancelled:
                return
            self.given += 1
            yield Delta(piece)


class Voice(ToneSynthesizer):
    """Gives the same chunks for whatever is to be said, then fails if it is told to."""

    def __init__(self, chunks: list[Mono], error: str = "") -> None:
        super().__init__()
        self._chunks, self._error = chunks, error

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        yield from self._chunks
        if self._error:
            raise BackendError(self._error, backend=self.name)


class Odd(Session):
    """A session with one odd part."""

    def __init__(self, generator: Writer | None = None, synthesizer: Voice | None = None) -> None:
        super().__init__(lossless=True)
        self.writer = generator or Writer("a point\nanother\n")
        parts = Parts(
            self.input,
            BlockSegmenter(),
            NotEnrolled(),
            [self.recognizer],
            self.writer,
            synthesizer or self.synthesizer,
            self.output,
        )
        self.pipeline = Pipeline(parts, PipelineSettings(lossless=True, pause_s=0.0), self.seen)

    def asked(self) -> None:
        """One question, to its end."""
        self.input.say(1)
        self.input.end()
        assert self.pipeline.wait(10.0)


@pytest.mark.parametrize(
    ("text", "theses"),
    [
        ("", []),
        ("\n\n \n", []),
        ("- \n* * *\n```\n---\n", []),
        ("**Bold** `code`\n1. [a link](http://x)\n# Heading", ["Bold code", "a link", "Heading"]),
        ("\x00\x1b[31mred\x07\n\u202ereversed\u200b\n", ["[31mred", "reversed"]),
        ("Первый тезис\n第一点\nأول نقطة\n", ["Первый тезис", "第一点", "أول نقطة"]),
        ("first\nFIRST!\nthe answer\n", ["the answer"]),
        ("same\nsame\nSame.\n", ["same"]),
    ],
    ids=["nothing", "blank", "no words", "markup", "control", "languages", "the question again", "repeats"],
)
def test_whatever_a_generator_writes_only_words_are_spoken(text: str, theses: list[str]) -> None:
    with running(Odd(Writer(text))) as session:
        session.asked()
        assert session.spoken() == theses
        assert session.outcomes() == [(1, "spoken" if theses else "no answer")]


def test_endless_line_becomes_one_thesis_and_a_hundred_theses_become_four() -> None:
    with running(Odd(Writer("word " * 20_000))) as session:
        session.asked()
        (thesis,) = session.spoken()
        assert len(thesis) <= MAX_THESIS_CHARS + 1
    with running(Odd(Writer("".join(f"point {number}\n" for number in range(100))))) as session:
        session.asked()
        assert session.spoken() == [f"point {number}" for number in range(4)]
        assert session.writer.given < 20  # who has enough stops reading


@pytest.mark.parametrize(
    ("voice", "heard_s", "reason"),
    [
        (Voice([]), 0.0, "the synthesiser gave no sound"),
        (Voice([np.zeros(0, np.float32)] * 3), 0.0, "the synthesiser gave no sound"),
        (Voice([CHUNK.astype(np.int16)]), 0.0, "the synthesiser gave int16 of shape"),
        (Voice([np.stack([CHUNK, CHUNK])]), 0.0, "float32 of shape (2, 100)"),
        (Voice([CHUNK] * 2, "cut off"), 0.4, "cut off"),
        (Voice([np.full(100, np.nan, np.float32), CHUNK]), 0.4, ""),
    ],
    ids=["nothing", "empty chunks", "integers", "stereo", "stops in the middle", "no numbers"],
)
def test_whatever_a_voice_gives_the_session_goes_on(voice: Voice, heard_s: float, reason: str) -> None:
    with running(Odd(synthesizer=voice)) as session:
        session.asked()
        failed = [notice.reason for notice in session.seen.of(notices.ThesisFailed)]  # type: ignore[union-attr]
        told = [notice.message for notice in session.seen.of(notices.BackendFailed)]  # type: ignore[union-attr]
        assert session.output.written_s == pytest.approx(heard_s)
        assert len(failed) == (2 if not heard_s else 0)
        assert all(reason in words for words in failed + told)
        assert bool(reason) == bool(failed + told)
        assert sum(frames for _, frames in session.output.log) == pytest.approx(heard_s * SAMPLERATE)
