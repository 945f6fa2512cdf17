"""What every generator that is installed keeps to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.speech.llm.base import Delta, Generator, Question
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.notes.reader import read_notes
from sottovoce.speech.registry import backend_names, describe, open_generator
from tests.contract.opening import service_settings
from tests.emulator import Emulator

NOTES = (
    "# When do we launch?\n- On the third of June\n- First in Europe\n- Then everywhere\n\n# What is it?\n- A lamp\n\n"
    "# Когда начало продаж?\n- Третьего июня\n- Сначала в Европе\n"
)

INSTALLED = [name for name in backend_names("llm") if not describe("llm", name).missing]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[NotesIndex]:
    (tmp_path / "notes.md").write_text(NOTES, encoding="utf-8")
    made = NotesIndex(read_notes(tmp_path))
    yield made
    made.close()


@pytest.fixture(params=INSTALLED)
def generator(request: pytest.FixtureRequest, emulator: Emulator, index: NotesIndex) -> Iterator[Generator]:
    emulator.knows["when do we launch"] = ("[1] On the third of June", "[1] First in Europe", "[1] Then everywhere")
    emulator.knows["когда начало продаж"] = ("[1] Третьего июня", "[1] Сначала в Европе")
    opened = open_generator(request.param, index=index, **service_settings("llm", request.param, emulator))
    opened.warm()
    yield opened
    opened.close()


def deltas(generator: Generator, text: str, max_theses: int = 8, cancel: CancelToken | None = None) -> list[Delta]:
    return list(generator.generate(Question(text, "en", max_theses), cancel or CancelToken()))


def answer(generator: Generator, text: str, max_theses: int = 8) -> list[str]:
    return "".join(delta.text for delta in deltas(generator, text, max_theses)).splitlines()


def test_each_thesis_is_a_line(generator: Generator) -> None:
    assert answer(generator, "when do we launch") == ["On the third of June", "First in Europe", "Then everywhere"]


def test_question_in_russian_is_answered_in_russian(generator: Generator) -> None:
    stream = generator.generate(Question("когда начало продаж", "ru", 8), CancelToken())
    assert "".join(delta.text for delta in stream).splitlines() == ["Третьего июня", "Сначала в Европе"]


def test_last_thesis_is_ended_too_so_that_nobody_waits_for_more(generator: Generator) -> None:
    assert deltas(generator, "when do we launch")[-1].text.endswith("\n")


def test_each_thesis_says_which_note_it_came_from(generator: Generator) -> None:
    sources = {delta.source for delta in deltas(generator, "when do we launch")}
    assert sources == {"When do we launch? (notes.md)"}


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


def test_answer_cancelled_before_it_begins_is_none(generator: Generator) -> None:
    cancel = CancelToken()
    cancel.cancel()
    assert deltas(generator, "when do we launch", cancel=cancel) == []


def test_several_threads_may_ask_at_once(generator: Generator) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: answer(generator, "when do we launch"), range(16)))
    assert answers == [answers[0]] * 16


def test_warming_again_does_nothing(generator: Generator) -> None:
    generator.warm()
    assert answer(generator, "when do we launch")


def test_close_while_busy_is_idempotent_and_leaves_no_thread(generator: Generator) -> None:
    before = set(threading.enumerate())
    stream = iter(generator.generate(Question("when do we launch", "en", 8), CancelToken()))
    next(stream)
    generator.close()
    generator.close()
    with suppress(BackendError):
        list(stream)
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("sottovoce")]
    assert not [thread for thread in ours if thread not in before or thread.name.endswith("network")]
