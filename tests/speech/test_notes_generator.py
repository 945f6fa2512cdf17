"""The generator that answers from notes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, ConfigError, NotesError
from sottovoce.speech.llm import notes as backend
from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.llm.notes import NotesGenerator
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.notes.reader import read_notes
from sottovoce.speech.registry import describe, open_generator

OTHER_FACTS = "".join(f"- Fact number {number} is about something else\n" for number in range(10))
TALK = f"""# When do we launch?
- On the third of June
- First in Europe; after that in every other country of this world where the law allows us to sell it at all
- Orders from May

# Battery
{OTHER_FACTS}- It lasts nine hours
- A full battery charges in ninety minutes
- Nothing more to say
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "talk.md"
    path.write_text(TALK, encoding="utf-8")
    return path


@pytest.fixture
def generator(path: Path) -> NotesGenerator:
    return NotesGenerator(path)


def ask(generator: NotesGenerator, text: str, max_theses: int = 8) -> list[Delta]:
    return list(generator.generate(Question(text, "en", max_theses), CancelToken()))


def test_points_of_the_best_note_come_a_thesis_a_line_with_their_source(generator: NotesGenerator) -> None:
    source = "When do we launch? (talk.md)"
    assert ask(generator, "when will you launch") == [
        Delta("On the third of June\n", source),
        Delta("First in Europe\n", source),
        Delta("after that in every other country of this world\n", source),
        Delta("where the law allows us to sell it at all\n", source),
        Delta("Orders from May\n", source),
    ]


def test_no_more_theses_come_than_are_wanted(generator: NotesGenerator) -> None:
    assert len(ask(generator, "when will you launch", max_theses=4)) == 4
    assert ask(generator, "when will you launch", max_theses=0) == []


def test_point_that_has_no_room_is_left_out_and_not_said_by_half(generator: NotesGenerator) -> None:
    texts = [delta.text for delta in ask(generator, "when will you launch", max_theses=2)]
    assert texts == ["On the third of June\n", "Orders from May\n"]


def test_nothing_comes_if_no_note_is_about_the_question(generator: NotesGenerator) -> None:
    assert ask(generator, "what is the weather like") == []
    assert ask(generator, "") == []


def test_long_note_begins_where_it_speaks_of_the_question(generator: NotesGenerator) -> None:
    texts = [delta.text for delta in ask(generator, "how long does the battery last, how fast does it charge", 3)]
    assert texts == ["It lasts nine hours\n", "A full battery charges in ninety minutes\n", "Nothing more to say\n"]


def test_answer_to_a_question_begins_with_its_first_point(generator: NotesGenerator) -> None:
    assert ask(generator, "when do we launch, do we sell it in Europe", 2)[0].text == "On the third of June\n"


def test_cancelled_generation_ends_early(generator: NotesGenerator) -> None:
    cancel = CancelToken()
    stream = generator.generate(Question("when will you launch", "en", 8), cancel)
    assert next(stream).text == "On the third of June\n"
    cancel.cancel()
    assert list(stream) == []


def test_theses_may_be_shorter(path: Path) -> None:
    texts = [delta.text for delta in ask(NotesGenerator(path, max_thesis_s=1.0), "when will you launch", 20)]
    assert len(texts) > 5
    assert all(len(text.split()) <= 5 and text.endswith("\n") for text in texts)
    with pytest.raises(ValueError, match=r"max_thesis_s is 0"):
        NotesGenerator(path, max_thesis_s=0)


def test_warming_reads_the_notes_once(generator: NotesGenerator, path: Path) -> None:
    generator.warm()
    path.unlink()
    generator.warm()
    assert ask(generator, "when will you launch")
    assert generator.name == "notes"
    assert generator.index.questions() == ("When do we launch?", "Battery")
    assert generator.warnings == ()


def test_warnings_of_the_reading_are_kept(path: Path) -> None:
    (path.parent / "bad.md").write_bytes(b"\0")
    generator = NotesGenerator([path.parent])
    generator.warm()
    assert [warning.path.name for warning in generator.warnings] == ["bad.md"]


def test_missing_notes_are_an_error_when_warmed_and_when_asked(tmp_path: Path) -> None:
    generator = NotesGenerator(tmp_path)
    with pytest.raises(NotesError):
        generator.warm()
    with pytest.raises(BackendError, match="suffixes") as raised:
        ask(generator, "when")
    assert (raised.value.backend, bool(raised.value.hint)) == ("notes", True)


def test_closing_frees_its_own_index_but_not_one_that_was_given(generator: NotesGenerator, path: Path) -> None:
    generator.warm()
    generator.close()
    generator.close()
    index = NotesIndex(read_notes(path))
    with_given = NotesGenerator(index)
    with_given.close()
    assert ask(with_given, "when will you launch")


def test_several_threads_ask_at_once_and_the_notes_are_read_once(generator: NotesGenerator) -> None:
    answers: list[list[Delta]] = []
    indexes: set[int] = set()
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        answers.append(ask(generator, "when will you launch"))
        indexes.add(id(generator.index))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(indexes) == 1
    assert answers == [answers[0]] * 4
    assert answers[0]


def test_registry_opens_it_with_an_index_or_with_paths(path: Path) -> None:
    info = describe("llm", "notes")
    assert (info.extra, info.missing) == ("", ())
    question = Question("when will you launch", "en", 1)
    for settings in ({"index": NotesIndex(read_notes(path))}, {"paths": path}):
        opened = open_generator("notes", **settings)
        assert [delta.text for delta in opened.generate(question, CancelToken())] == ["On the third of June\n"]
        opened.close()
    with pytest.raises(ConfigError, match="no notes") as raised:
        open_generator("notes")
    assert raised.value.key == "notes.path"
    assert backend.EXTRA == ""
