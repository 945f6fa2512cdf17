"""Notes out of files and folders, good and bad."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.core.errors import NotesError
from sottovoce.speech.notes.markdown import MAX_LINE_CHARS, MAX_POINT_CHARS, MAX_POINTS, parse
from sottovoce.speech.notes.note import Note, Notes
from sottovoce.speech.notes.reader import ReadLimits, read_notes

RUSSIAN = "# Когда запуск?\n- Третьего июня, сначала в Европе\n- Осенью везде\n"

posix_only = pytest.mark.skipif(os.name != "posix", reason="links and special files as POSIX has them")


def notes_of(text: str) -> list[Note]:
    return parse(text, Path("talk.md"))[0]


def shape(text: str) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Title, questions and points of each note."""
    return [(note.title, note.questions, note.points) for note in notes_of(text)]


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Markdown


def test_every_heading_starts_a_note_with_the_headings_above_as_its_trail() -> None:
    top, when, where = notes_of("# Launch\nSoon.\n\n## When?\n- in June\n\n## Where?\n* here\n+ there\n1. far\n")
    assert (top.title, top.points, top.trail, top.line) == ("Launch", ("Soon.",), (), 1)
    assert (when.title, when.questions, when.points, when.trail, when.line) == (
        "When?",
        ("When?",),
        ("in June",),
        ("Launch",),
        4,
    )
    assert (where.points, where.trail) == (("here", "there", "far"), ("Launch",))
    assert when.source == "When? (talk.md)"


def test_trail_follows_the_levels() -> None:
    notes = notes_of("# A\n## B\n### C\n- c\n## D\n- d\n# E\n- e\n")
    assert [(note.title, note.trail) for note in notes] == [("C", ("A", "B")), ("D", ("A",)), ("E", ())]


def test_headings_may_be_underlined() -> None:
    assert shape("Launch\n======\n- soon\n\nWhen?\n-----\n- June\n") == [
        ("Launch", (), ("soon",)),
        ("When?", ("When?",), ("June",)),
    ]


def test_questions_one_after_the_other_are_wordings_of_one() -> None:
    assert shape("## When do we start?\n## What is the date?\n- June\n") == [
        ("When do we start?", ("When do we start?", "What is the date?"), ("June",))
    ]


def test_question_and_answer_lines_are_notes() -> None:
    text = "# FAQ\nQ: How much?\nA: Ten euros.\n\n**Q:** Why so little?\n**A:** We like you.\n\nВ: Когда?\nО: Завтра.\n"
    assert shape(text) == [
        ("How much?", ("How much?",), ("Ten euros.",)),
        ("Why so little?", ("Why so little?",), ("We like you.",)),
        ("Когда?", ("Когда?",), ("Завтра.",)),
    ]


def test_lettered_list_in_russian_is_no_question() -> None:
    assert shape("# План\nа) сделать\n\nв) показать\n") == [("План", (), ("а) сделать", "в) показать"))]


def test_question_on_a_line_of_its_own_starts_a_note() -> None:
    assert shape("Intro here.\n\nWhat is it?\n\nA lamp. It shines.\n\n**How much?**\n\nTen.") == [
        ("talk", (), ("Intro here.",)),
        ("What is it?", ("What is it?",), ("A lamp.", "It shines.")),
        ("How much?", ("How much?",), ("Ten.",)),
    ]


def test_bullets_keep_their_wrapped_lines_and_lose_their_marks() -> None:
    text = "# T\n- [x] first\n  goes on\n  - nested *one*\n- [ ] last\n\n> quoted\n"
    assert shape(text) == [("T", (), ("first goes on", "nested one", "last", "quoted"))]


def test_paragraphs_are_joined_where_wrapped_and_kept_apart_where_not() -> None:
    wrapped = "This sentence is long enough to have been wrapped by an editor at the\nmargin. Here is another.\n"
    assert shape(f"# T\n{wrapped}")[0][2] == (
        "This sentence is long enough to have been wrapped by an editor at the margin.",
        "Here is another.",
    )
    assert shape("# T\nShort line\nAnother one\ngoing on\n")[0][2] == ("Short line", "Another one going on")


def test_tables_give_a_point_a_row_with_the_names_of_their_columns() -> None:
    named = "# T\n| Item | Price | Stock |\n|------|------:|---|\n| Tea | 3 | 20 |\n| Milk | | |\n"
    assert shape(named)[0][2] == ("Tea: Price 3, Stock 20", "Milk")
    assert shape("# T\n| Tea | 3 |\n| Milk | |\n")[0][2] == ("Tea, 3", "Milk")


def test_front_matter_code_comments_and_rules_are_passed_over() -> None:
    text = (
        "---\ntitle: 'My talk'\ntags: [a]\n---\nHello.\n\n```sh\n# no heading\n```\n~~~\n- no point\n~~~\n***\n"
        "<!-- not\n# this -->\n[1]: http://x.org\nBye.\n"
    )
    assert shape(text) == [("My talk", (), ("Hello.", "Bye."))]


def test_line_of_dashes_alone_is_no_front_matter() -> None:
    assert shape("---\nHello.\n\n# T\n- point\n") == [("talk", (), ("Hello.",)), ("T", (), ("point",))]


@pytest.mark.parametrize(("opening", "what"), [("```", "code block"), ("<!--", "comment")])
def test_block_that_never_ends_is_named(opening: str, what: str) -> None:
    notes, warnings = parse(f"# T\n- point\n{opening}\n# lost\n- lost\n", Path("talk.md"))
    assert [note.title for note in notes] == ["T"]
    assert (warnings[0].line, what in warnings[0].message) == (3, True)
    assert warnings[0].hint


def test_question_without_points_is_named_but_not_one_with_notes_below_it() -> None:
    _, warnings = parse("# Why us?\n## Price\n- low\n# And now?\n# End\n- bye\n", Path("talk.md"))
    assert [(warning.line, warning.message) for warning in warnings] == [(4, "no points under 'And now?'")]
    assert str(warnings[0]) == "talk.md:4: no points under 'And now?'"


def test_long_section_goes_on_as_another_note_but_an_answer_stays_whole() -> None:
    points = "".join(f"- point {number}\n" for number in range(MAX_POINTS + 3))
    assert [len(note.points) for note in notes_of(f"# Topic\n{points}")] == [MAX_POINTS, 3]
    assert [len(note.points) for note in notes_of(f"# Topic?\n{points}")] == [MAX_POINTS + 3]


def test_endless_line_is_cut_and_named() -> None:
    notes, warnings = parse("# T\n" + "word " * MAX_LINE_CHARS, Path("talk.md"))
    assert all(len(point) <= MAX_POINT_CHARS for point in notes[0].points)
    assert sum(len(point) for point in notes[0].points) <= MAX_LINE_CHARS
    assert (warnings[0].line, "characters" in warnings[0].message) == (2, True)


@given(st.text(alphabet=st.sampled_from(list("#-*`>|=?: \n\taQ1.[]()<!&~_é")), max_size=300))
def test_any_text_is_read_and_every_note_has_a_title_and_points(text: str) -> None:
    for note in notes_of(text):
        assert note.title
        assert note.points
        assert all(point.strip() == point and "\n" not in point for point in note.points)
        assert 1 <= note.line <= len(text.splitlines()) + 1


@pytest.mark.parametrize(
    "piece", ["- ", "> ", "| - ", "#", "Q: ", "```", "<!--", "---\n", "a\n", "- a\n  b\n", "Why?\n\n"]
)
def test_hostile_file_takes_no_time_to_speak_of(piece: str) -> None:
    """A step that is not linear would run into the time limit of the tests here."""
    parse(piece * 300_000, Path("talk.md"))


# Files and folders


def test_folder_is_read_with_its_folders_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.md", "a.markdown", "sub/c.txt", "sub/D.MD", "z.pdf"):
        write(tmp_path / name, f"# {name}\n- point\n")
    found = read_notes(tmp_path)
    assert [note.title for note in found.notes] == ["a.markdown", "b.md", "sub/D.MD", "sub/c.txt"]
    assert found.notes[2].path == tmp_path / "sub" / "D.MD"
    assert found.warnings == ()


def test_file_and_several_paths_are_read_each_file_once(tmp_path: Path) -> None:
    file = write(tmp_path / "a.md", "# A\n- point\n")
    write(tmp_path / "b.md", "# B\n- point\n")
    assert [note.title for note in read_notes(file).notes] == ["A"]
    assert [note.title for note in read_notes(str(file)).notes] == ["A"]
    assert [note.title for note in read_notes([file, tmp_path]).notes] == ["A", "B"]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    for name in (".git/notes.md", ".hidden.md", "seen.md"):
        write(tmp_path / name, f"# {name}\n- point\n")
    assert [note.title for note in read_notes(tmp_path).notes] == ["seen.md"]


def test_hidden_folder_that_is_named_is_read(tmp_path: Path) -> None:
    write(tmp_path / ".notes" / "a.md", "# A\n- point\n")
    assert len(read_notes(tmp_path / ".notes").notes) == 1


def test_missing_folder_is_an_error_with_an_example(tmp_path: Path) -> None:
    with pytest.raises(NotesError, match="no such file or folder") as raised:
        read_notes(tmp_path / "nowhere")
    assert raised.value.path == tmp_path / "nowhere"
    assert "# When do we launch?" in raised.value.hint


def test_empty_folder_is_an_error_with_an_example(tmp_path: Path) -> None:
    with pytest.raises(NotesError, match=r"no file in .* has one of the suffixes \.md") as raised:
        read_notes(tmp_path)
    assert "# When do we launch?" in raised.value.hint


def test_folder_without_notes_says_what_is_there_instead(tmp_path: Path) -> None:
    write(tmp_path / "slides.PPTX", b"PK")
    with pytest.raises(NotesError, match=r"there are: \.pptx"):
        read_notes(tmp_path)


@pytest.mark.parametrize("text", ["", "\n\n", "# Only\n## Headings\n", "---\ntitle: x\n---\n"])
def test_files_without_a_note_are_an_error(tmp_path: Path, text: str) -> None:
    write(tmp_path / "a.md", text)
    with pytest.raises(NotesError, match="no notes in the files"):
        read_notes(tmp_path)


def test_no_path_at_all_is_an_error() -> None:
    with pytest.raises(NotesError, match="no path"):
        read_notes([])


def test_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotesError, match="not a kind of file") as raised:
        read_notes(write(tmp_path / "a.docx", b"PK"))
    assert "export" in raised.value.hint


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_as_its_mark_says(tmp_path: Path, encoding: str) -> None:
    found = read_notes(write(tmp_path / "a.md", RUSSIAN.encode(encoding)))
    assert found.notes[0].title == "Когда запуск?"
    assert found.warnings == ()


@pytest.mark.parametrize("bom", ["utf-16-le", "utf-16-be"])
def test_utf16_of_both_orders_is_read(tmp_path: Path, bom: str) -> None:
    found = read_notes(write(tmp_path / "a.md", ("\ufeff" + RUSSIAN).encode(bom)))
    assert found.notes[0].title == "Когда запуск?"


def test_windows_1251_is_guessed_and_named(tmp_path: Path) -> None:
    found = read_notes(write(tmp_path / "a.md", ("Plain first line\n\n" + RUSSIAN).encode("cp1251")))
    assert found.notes[1].points == ("Третьего июня, сначала в Европе", "Осенью везде")
    (warning,) = found.warnings
    assert (warning.path.name, warning.line, warning.message) == ("a.md", 3, "not UTF-8; read as Windows-1251")
    assert warning.hint == "save it in UTF-8"


@pytest.mark.parametrize(
    "data",
    [
        "# Café\n- déjà vu à Zürich, naïve façade\n".encode("latin-1"),
        RUSSIAN.encode("koi8-r"),
        RUSSIAN.encode("cp866"),
        b"# T\n- \xff\xfe\xfa broken\n",
        RUSSIAN.encode("utf-16")[:-1],
    ],
    ids=["latin-1", "koi8-r", "cp866", "garbage", "half a character"],
)
def test_other_encodings_are_passed_over_and_named(tmp_path: Path, data: bytes) -> None:
    write(tmp_path / "good.md", "# Good\n- point\n")
    write(tmp_path / "bad.md", data)
    found = read_notes(tmp_path)
    assert [note.title for note in found.notes] == ["Good"]
    (warning,) = found.warnings
    assert warning.path.name == "bad.md"
    assert "the file is passed over" in warning.message
    assert "UTF-8" in warning.hint


def test_binary_file_is_passed_over_and_named(tmp_path: Path) -> None:
    write(tmp_path / "good.md", "# Good\n- point\n")
    write(tmp_path / "picture.md", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 1000)
    (warning,) = read_notes(tmp_path).warnings
    assert (warning.path.name, "binary" in warning.message) == ("picture.md", True)


def test_only_file_that_cannot_be_read_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotesError, match=r"picture\.md: not a text but a binary file"):
        read_notes(write(tmp_path / "picture.md", b"\0" * 100))


# Limits


def test_note_of_50_mb_is_read_up_to_the_limit_and_named(tmp_path: Path) -> None:
    path = tmp_path / "big.md"
    line = b"- a point in a very long list of points\n"
    with path.open("wb") as file:
        file.write("# Первый\n".encode())
        for _ in range(50):
            file.write(line * (2**20 // len(line)))
    found = read_notes(tmp_path)
    read = sum(len(point) + len("- \n") for note in found.notes for point in note.points)
    assert 0.99 * ReadLimits().file_bytes < read <= ReadLimits().file_bytes
    (warning,) = found.warnings
    assert (warning.path, "first 2.0 MiB of 50.0 MiB" in warning.message) == (path, True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("limit", range(60, 70))
def test_limit_in_the_middle_of_a_character_cuts_at_the_line_before(tmp_path: Path, limit: int, encoding: str) -> None:
    write(tmp_path / "a.md", ("# T\n" + "- щука\n" * 20).encode(encoding))
    found = read_notes(tmp_path, ReadLimits(file_bytes=limit))
    assert set(found.notes[0].points) == {"щука"}
    assert 2 <= len(found.notes[0].points) < 20


@pytest.mark.parametrize("limits", [ReadLimits(files=2), ReadLimits(total_bytes=30)])
def test_files_beyond_the_limit_are_counted_in_a_warning(tmp_path: Path, limits: ReadLimits) -> None:
    for name in "abcd":
        write(tmp_path / f"{name}.md", f"# {name}\n- a point\n")
    found = read_notes(tmp_path, limits)
    assert [note.title for note in found.notes][:1] == ["a"]
    assert "files are left out" in found.warnings[-1].message


# Links and special files


@posix_only
def test_links_that_lead_round_in_a_circle_end(tmp_path: Path) -> None:
    write(tmp_path / "a.md", "# A\n- point\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again.md").symlink_to(tmp_path / "a.md")
    (tmp_path / "self.md").symlink_to(tmp_path / "self.md")
    found = read_notes(tmp_path)
    assert [note.title for note in found.notes] == ["A"]
    assert [warning.path.name for warning in found.warnings] == ["self.md"]


@posix_only
def test_link_to_a_folder_elsewhere_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "a.md", "# A\n- point\n")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "notes" / "dead.md").symlink_to(tmp_path / "gone.md")
    found = read_notes(tmp_path / "notes")
    assert [note.title for note in found.notes] == ["A"]
    (warning,) = found.warnings
    assert (warning.path.name, "no such file" in warning.message) == ("dead.md", True)


@posix_only
def test_special_file_is_named_and_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path / "a.md", "# A\n- point\n")
    os.mkfifo(tmp_path / "pipe.md")
    (warning,) = read_notes(tmp_path).warnings
    assert (warning.path.name, warning.message) == ("pipe.md", "not a regular file")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/mem, a file that nobody can read from its start")
def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.md", "# A\n- point\n")
    (tmp_path / "bad.md").symlink_to("/proc/self/mem")
    found = read_notes(tmp_path)
    (warning,) = found.warnings
    assert (warning.path.name, warning.message) == ("bad.md", "cannot be read: input/output error")
    assert isinstance(found, Notes)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom file modes bind, not root")
def test_file_and_folder_without_permission_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.md", "# A\n- point\n")
    write(tmp_path / "b.md", "# B\n- point\n").chmod(0)
    (tmp_path / "c").mkdir(mode=0)
    found = read_notes(tmp_path)
    assert {warning.path.name for warning in found.warnings} == {"b.md", "c"}
    assert all("permission denied" in warning.message for warning in found.warnings)
