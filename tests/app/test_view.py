"""What a person is told of a session: the picture, the screen, the journal."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sottovoce.app.journal import Journal
from sottovoce.app.show import Screen, clock_time, summary_table
from sottovoce.app.view import IgnoredUtterance, SessionView, TurnView
from sottovoce.assistant import notices
from sottovoce.assistant.messages import Thesis, Utterance
from sottovoce.assistant.notices import Notice
from sottovoce.metrics.stages import Stage, TurnTimes
from sottovoce.session.records import Speculated, ThesisStatus
from sottovoce.session.store import SessionStore
from sottovoce.speech.usage import Usage

QUESTION = Utterance(1, "other", "when do we launch", "en", 0.8, 12.0, 14.0, (), "test")
MUMBLE = Utterance(2, "other", "", "en", None, 20.0, 21.0, (), "test")
FIRST = Thesis(1, 1, "On the third of June", "Launch (plan.md)")
SECOND = Thesis(1, 2, "First in Europe", "Launch (plan.md)")
THIRD = Thesis(1, 3, "Then everywhere", "Launch (plan.md)")
TIMES = TurnTimes(
    1,
    {
        Stage.SPEECH_END: 1_000_000_000,
        Stage.SEGMENT_READY: 1_500_000_000,
        Stage.ASR_START: 1_500_000_000,
        Stage.ASR_DONE: 1_740_000_000,
        Stage.FIRST_SAMPLE: 1_800_000_000,
    },
)

CUT_SHORT: list[Notice] = [
    notices.SpeechBegan(12.2),
    notices.SpeechEnded(14.0),
    notices.UtteranceHeard(QUESTION, 1, ""),
    notices.ThesisAdded(FIRST),
    notices.ThesisAdded(SECOND),
    notices.ThesisAdded(THIRD),
    notices.ThesisStarted(FIRST, 1_800_000_000),
    notices.ThesisSpoken(FIRST, 0.0, 1.5),
    notices.ThesisStarted(SECOND, 3_500_000_000),
    notices.UtteranceHeard(MUMBLE, 0, "nothing understood"),
    notices.TurnEnded(1, "interrupted", "", TIMES),
    notices.ThesisCut(SECOND, 0.4),
]


def test_view_follows_a_turn_to_its_end() -> None:
    view = SessionView()
    settled = [view.apply(notice) for notice in CUT_SHORT]
    turn = next(item for item in settled if isinstance(item, TurnView))
    assert [thesis.state for thesis in turn.theses] == ["spoken", "cut", "dropped"]
    assert turn.outcome == "interrupted"
    assert view.open_turns == ()
    assert [item.reason for item in settled if isinstance(item, IgnoredUtterance)] == ["nothing understood"]


def test_view_of_a_long_session_keeps_only_what_is_open() -> None:
    view = SessionView(keep=False)
    for _ in range(50):
        for notice in CUT_SHORT:
            view.apply(notice)
    assert not view.turns
    assert not view.utterances
    assert not view.ignored
    assert view.open_turns == ()


def test_screen_in_a_pipe_writes_what_is_settled_and_no_control_characters() -> None:
    written = io.StringIO()
    screen = Screen(Console(file=written, width=100), realtime=True)
    with screen:
        for notice in CUT_SHORT:
            screen(notice)
    text = written.getvalue()
    assert "\x1b" not in text
    assert "0:12 when do we launch" in text
    assert "1 On the third of June" in text
    assert "interrupted by the next question" in text
    assert "(nothing understood)" in text
    assert "800 ms to the first sound" in text


def test_summary_has_the_stages_of_each_question() -> None:
    written = io.StringIO()
    turn = TurnView(1, QUESTION, outcome="spoken", times=TIMES)
    Console(file=written, width=120).print(summary_table([turn, turn]))
    assert "when do we launch" in written.getvalue()
    assert "median" in written.getvalue()
    assert "240" in written.getvalue()


def test_journal_keeps_what_was_heard_of_each_thesis(tmp_path: Path) -> None:
    with SessionStore(tmp_path / "sessions.db") as store:
        session_id = store.start_session("live")
        journal = Journal(store, session_id, started_ns=0)
        for notice in CUT_SHORT:
            journal(notice)
        store.end_session(session_id, "ended")
        assert store.flush(10.0)
        record = store.session(session_id)
    theses = record.turns[0].theses
    assert [thesis.status for thesis in theses] == [
        ThesisStatus.HEARD,
        ThesisStatus.INTERRUPTED,
        ThesisStatus.DROPPED,
    ]
    assert [thesis.heard_s for thesis in theses] == [1.5, 0.4, 0.0]
    assert record.turns[0].outcome == "interrupted"
    assert {stage.name for stage in record.turns[0].stages} >= {"vad_end", "asr", "total"}
    assert [utterance.ignored for utterance in record.utterances] == ["", "nothing understood"]


def test_journal_keeps_a_turn_that_outlasts_an_unanswered_question(tmp_path: Path) -> None:
    with SessionStore(tmp_path / "sessions.db") as store:
        session_id = store.start_session("live")
        journal = Journal(store, session_id, started_ns=0)
        for notice in (
            notices.UtteranceHeard(QUESTION, 1, ""),
            notices.ThesisAdded(FIRST),
            notices.ThesisStarted(FIRST, 1_800_000_000),
            notices.UtteranceHeard(replace(QUESTION, number=2, text="who pays"), 2, ""),
            notices.TurnEnded(2, "no answer", "", TurnTimes(2, {})),
            notices.ThesisSpoken(FIRST, 0.0, 1.5),
            notices.TurnEnded(1, "spoken", "", TIMES),
        ):
            journal(notice)
        store.end_session(session_id, "ended")
        assert store.flush(10.0)
        turns = store.session(session_id).turns
    assert [turn.outcome for turn in turns] == ["spoken", "no answer"]
    assert [thesis.status for thesis in turns[0].theses] == [ThesisStatus.HEARD]


def test_clock_time_shows_hours_only_where_there_are_some() -> None:
    assert clock_time(7.9) == "0:07"
    assert clock_time(3600 + 62) == "1:01:02"


def shown(*told: Notice, generator: str = "notes", terminal: bool = False) -> str:
    written = io.StringIO()
    console = Console(file=written, width=100, force_terminal=terminal)
    with Screen(console, realtime=True, generator=generator) as screen:
        for notice in told:
            screen(notice)
    return written.getvalue()


@pytest.mark.parametrize(
    ("generator", "told", "words"),
    [
        ("notes", (), "nothing in the notes about this"),
        ("gemini", (), "gemini has nothing to say about this"),
        ("gemini", (notices.BackendChanged("llm", "notes"),), "nothing in the notes about this"),
        ("notes", (notices.BackendChanged("tts", "espeak"),), "nothing in the notes about this"),
    ],
)
def test_that_there_is_no_answer_is_said_of_who_had_none(generator: str, told: tuple[Notice, ...], words: str) -> None:
    asked = notices.UtteranceHeard(QUESTION, 1, "")
    assert words in shown(*told, asked, notices.TurnEnded(1, "no answer", "", TIMES), generator=generator)


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        (notices.BudgetReached("day", "$2", stops=True), "the budget of this day, $2, is spent: no service is called"),
        (notices.BudgetReached("session", "$0.50", stops=False), "this session has cost $0.50, of which you wanted"),
        (notices.PriceUnknown("box", "llama"), "the price of llama (box) is unknown: the budget does not count it"),
    ],
)
def test_news_of_the_budget_is_said_plainly(notice: Notice, words: str) -> None:
    assert words in shown(notice)


def test_what_was_spent_stands_in_the_status_line_with_what_is_not_certain() -> None:
    usage = Usage("llm", "openai", "gpt-4o-mini")
    once, unknown = notices.Spent(usage, 4_200_000, False), notices.Spent(usage, None, False)
    assert "$" not in shown(terminal=True)
    assert "  $0.0042" in shown(once, terminal=True)
    assert "price unknown" in shown(unknown, terminal=True)
    assert "~$0.0084 + 1 call of unknown price" in shown(
        once, notices.Spent(usage, 4_200_000, True), unknown, terminal=True
    )


def test_what_is_being_said_is_shown_until_it_has_been_heard() -> None:
    view = SessionView()
    view.apply(notices.SpeechBegan(12.2))
    view.apply(notices.HeardSoFar(12.0, "when do we"))
    assert (view.so_far, view.so_far_at_s) == ("when do we", 12.0)
    view.apply(notices.Speculated(QUESTION, 1, early=True))
    view.apply(notices.ThesisForeseen(FIRST))
    assert view.so_far == "when do we launch"
    view.apply(notices.HeardSoFar(12.0, "when do we launch please"))
    assert view.provisional is not None
    assert [thesis.text for thesis in view.provisional.theses] == ["On the third of June"]
    view.apply(notices.SpeculationEnded(1, taken=True))
    view.apply(notices.UtteranceHeard(QUESTION, 1, ""))
    assert (view.so_far, view.provisional, view.hits) == ("", None, 1)


def test_late_utterance_does_not_take_the_words_of_the_next_one_away() -> None:
    view = SessionView()
    view.apply(notices.HeardSoFar(30.0, "and who"))
    view.apply(notices.UtteranceHeard(QUESTION, 1, ""))
    assert view.so_far == "and who"


def test_screen_shows_what_is_being_said_and_foreseen_in_grey() -> None:
    written = io.StringIO()
    screen = Screen(Console(file=written, width=60, force_terminal=True, color_system="standard"), realtime=True)
    with screen:
        screen(notices.SpeechBegan(12.2))
        screen(notices.HeardSoFar(12.0, "when do we launch"))
        screen(notices.Speculated(QUESTION, 1, early=True))
        screen(notices.ThesisForeseen(FIRST))
    text = written.getvalue()
    assert "\x1b[2m 0:12 when do we launch" in text
    assert "\x1b[2;3m      1 On the third of June" in text


def test_journal_keeps_what_was_begun_early_and_what_became_of_it(tmp_path: Path) -> None:
    with SessionStore(tmp_path / "sessions.db") as store:
        session_id = store.start_session("live")
        journal = Journal(store, session_id, started_ns=0)
        for notice in (
            notices.Speculated(QUESTION, 1, early=True),
            notices.SpeculationEnded(1, taken=False),
            notices.Speculated(QUESTION, 2),
            notices.SpeculationEnded(2, taken=True),
        ):
            journal(notice)
        store.end_session(session_id, "ended")
        assert store.flush(10.0)
        record = store.session(session_id)
    assert record.speculations == (Speculated(1, early=True, taken=False), Speculated(1, early=False, taken=True))
    assert not record.events
