"""The waterfall of a turn: what is where, on every terminal and as a picture."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from sottovoce.app.timeline import draw, svg, waterfall
from sottovoce.session.records import StageTime, ThesisRecord, ThesisStatus, TurnRecord, Words

MS = 1_000_000
START_NS = 5_000 * MS


def stage(name: str, start_ms: float, end_ms: float) -> StageTime:
    return StageTime(name, START_NS + int(start_ms * MS), START_NS + int(end_ms * MS))


STAGES = (
    stage("vad_end", 0, 360),
    stage("asr", 161, 240),
    stage("first_thesis", 241, 242),
    stage("first_sample", 361, 366),
    stage("total", 0, 366),
)


def thesis(number: int, start_s: float | None, spoken_s: float = 1.0) -> ThesisRecord:
    return ThesisRecord(number, Words("in June", 7), Words("", 0), ThesisStatus.HEARD, start_s, spoken_s, spoken_s)


def turn(stages: tuple[StageTime, ...] = STAGES, question: str = "when") -> TurnRecord:
    return TurnRecord(1, 1, 5.0, Words(question, len(question)), (thesis(1, 5.366), thesis(2, None)), stages, "spoken")


def test_bars_count_from_the_true_end_of_the_question() -> None:
    picture = waterfall(turn())
    assert picture is not None
    bars = {bar.name: (bar.start_ms, bar.end_ms) for bar in picture.bars}
    assert bars["silence"] == (0.0, 360.0)
    assert bars["recogniser"] == (161.0, 240.0)
    assert bars["thesis 1"] == (pytest.approx(366.0), pytest.approx(1366.0))
    assert "thesis 2" not in bars
    assert picture.total_ms == 366.0


def test_turn_without_known_times_has_no_picture() -> None:
    assert waterfall(turn(stages=())) is None
    assert waterfall(turn(stages=(stage("total", 0, 5),))) is None


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
@pytest.mark.parametrize("utf8", [True, False])
def test_rows_fit_the_terminal(columns: int, utf8: bool) -> None:
    picture = waterfall(turn())
    assert picture is not None
    rows = [row.plain for row in draw(picture, columns, utf8=utf8)]
    assert max(map(len, rows)) <= max(columns, 33)
    assert len({len(row) for row in rows[:-1]}) == 1
    assert all(row.isascii() for row in rows) is not utf8


def test_bars_lie_where_their_times_are() -> None:
    picture = waterfall(turn())
    assert picture is not None
    rows = {row.plain[:13].strip(): row.plain[13:] for row in draw(picture, 113, utf8=False)}
    first = {name: row.index("#") for name, row in rows.items() if "#" in row}
    assert first["silence"] == 0
    assert first["silence"] < first["recogniser"] < first["first thesis"] < first["to the ear"] <= first["thesis 1"]
    assert ">" in rows["thesis 1"]


def test_picture_is_well_formed_whatever_was_asked() -> None:
    hostile = "</text><script>alert('1')</script> & \u202e"
    pictures = [picture for asked in (hostile, "when") if (picture := waterfall(turn(question=asked))) is not None]
    root = ElementTree.fromstring(svg(pictures, "session <1>"))
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert any(hostile in (element.text or "") for element in root.iter())


def test_what_was_made_while_the_question_was_asked_lies_before_its_end_on_the_axis() -> None:
    early = (stage("llm_first_token", -640, -600), *STAGES)
    picture = waterfall(turn(early))
    assert picture is not None
    assert picture.first_ms == pytest.approx(-640)
    drawn = svg([picture], "session 1")
    assert [f">{tick} ms<" in drawn for tick in ("-400", "-200", "0", "200")] == [True] * 4
