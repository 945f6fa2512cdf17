"""What every generator that is installed keeps to."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.speech.llm.base import Generator, Question
from sottovoce.speech.registry import backend_names, describe, open_generator

NOTES = (
    "# When do we launch?\n- On the third of June\n- First in Europe\n- Then everywhere\n\n# What is it?\n- A lamp\n"
)

INSTALLED = [name for name in backend_names("llm") if not describe("llm", name).missing]


@pytest.fixture(params=INSTALLED)
def generator(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Generator]:
    (tmp_path / "notes.md").write_text(NOTES, encoding="utf-8")
    opened = open_generator(request.param, paths=tmp_path)
    opened.warm()
    yield opened
    opened.close()


def answer(generator: Generator, text: str, max_theses: int = 8, cancel: CancelToken | None = None) -> list[str]:
    question = Question(text, "en", max_theses)
    return "".join(delta.text for delta in generator.generate(question, cancel or CancelToken())).splitlines()


def test_each_thesis_is_a_line(generator: Generator) -> None:
    assert answer(generator, "when do we launch") == ["On the third of June", "First in Europe", "Then everywhere"]


def test_no_more_theses_than_wanted(generator: Generator) -> None:
    assert answer(generator, "when do we launch", max_theses=2) == ["On the third of June", "First in Europe"]


@pytest.mark.parametrize("text", ["", "???", "how do whales sleep", 'OR "x" AND NEAR(', "слон " * 500, "a" * 100_000])
def test_what_has_no_answer_gives_none_and_no_error(generator: Generator, text: str) -> None:
    assert answer(generator, text) == []


def test_cancelled_answer_ends_early(generator: Generator) -> None:
    cancel = CancelToken()
    stream = generator.generate(Question("when do we launch", "en", 8), cancel)
    next(iter(stream))
    cancel.cancel()
    assert list(stream) == []


def test_several_threads_may_ask_at_once(generator: Generator) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: answer(generator, "when do we launch"), range(16)))
    assert answers == [answers[0]] * 16


def test_close_is_idempotent(generator: Generator) -> None:
    generator.close()
    generator.close()
