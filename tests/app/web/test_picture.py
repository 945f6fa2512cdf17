"""From notices to sections: what the page shows at each moment of a session."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sottovoce.app.web.picture import MOST_NOTICES, MOST_TURNS, SECTIONS, Facts, Picture
from sottovoce.assistant import notices
from sottovoce.assistant.messages import Outcome, Thesis
from sottovoce.assistant.notices import Notice
from sottovoce.metrics.stages import Stage, TurnTimes
from sottovoce.speech.usage import Usage
from tests.support.web import MARKS_MS, utterance

NOW = datetime(2026, 11, 21, 18, 20, tzinfo=UTC)
FACTS = Facts(
    NOW, 3, recogniser="pocketsphinx", generator="notes", voice="espeak", controls=("next",), limit="$1 a day"
)


def picture(*told: Notice) -> Picture:
    shown = Picture(FACTS)
    for notice in told:
        shown.take(notice, 1_000_000, NOW)
    return shown


def turn(*told: Notice) -> dict[str, Any]:
    (only,) = picture(*told).section("turns")["turns"]  # type: ignore[misc]
    return only  # type: ignore[no-any-return]


def asked(generation: int = 1) -> Notice:
    return notices.UtteranceHeard(utterance(generation, "How do you make money?"), generation, "")


def ended(outcome: Outcome, detail: str = "", generation: int = 1) -> Notice:
    marks = {stage: ms * 1_000_000 for stage, ms in MARKS_MS.items()}
    return notices.TurnEnded(generation, outcome, detail, TurnTimes(generation, marks))


FIRST = Thesis(1, 1, "Subscriptions", "Money (money.md)")
SECOND = Thesis(1, 2, "Support", "Money (money.md)")


def test_every_section_is_json_from_the_beginning() -> None:
    for name in SECTIONS:
        json.dumps(picture().section(name))


def test_session_tells_what_is_known_and_what_the_wearer_has_done() -> None:
    quiet = picture().section("session")
    assert (quiet["id"], quiet["listening"], quiet["muted"], quiet["paused"]) == (3, True, False, False)
    assert (quiet["recogniser"], quiet["generator"], quiet["voice"]) == ("pocketsphinx", "notes", "espeak")
    assert quiet["started"] == "2026-11-21T18:20:00+00:00"
    changed = picture(
        notices.EarMuted(True), notices.VoiceChanged(True, -3.0), notices.BackendChanged("llm", "openai")
    ).section("session")
    assert (changed["listening"], changed["muted"], changed["paused"], changed["gain_db"]) == (False, True, True, -3.0)
    assert changed["generator"] == "openai"


def test_partial_and_its_provisional_theses_are_heard_until_the_question_is_over() -> None:
    told: list[Notice] = [
        notices.SpeechBegan(0.0),
        notices.HeardSoFar(0.5, "how do you make"),
        notices.Speculated(utterance(1, "how do you make money"), 1, early=True),
        notices.ThesisForeseen(FIRST),
        notices.ThesisForeseen(SECOND),
    ]
    assert picture(*told).section("heard") == {
        "partial": "how do you make money",
        "speaker": "other",
        "provisional": ["Subscriptions", "Support"],
        "notes": [{"title": "Money", "where": "money.md"}],
    }
    over = picture(*told, notices.SpeculationEnded(1, taken=True), asked()).section("heard")
    assert over == {"partial": "", "speaker": "", "provisional": [], "notes": []}


def test_turn_goes_from_thinking_to_speaking_to_done() -> None:
    told: list[Notice] = [asked()]
    assert turn(*told)["state"] == "thinking"
    told += [notices.ThesisAdded(FIRST), notices.ThesisAdded(SECOND)]
    assert turn(*told)["state"] == "thinking"
    assert [thesis["state"] for thesis in turn(*told)["theses"]] == ["waiting", "waiting"]
    told.append(notices.ThesisStarted(FIRST, 500_000_000))
    assert turn(*told)["state"] == "speaking"
    assert turn(*told)["total_ms"] == 500.0, "known with the first sound"
    told += [notices.ThesisSpoken(FIRST, 0.0, 1.0), notices.ThesisStarted(SECOND, 2_000_000_000)]
    assert [thesis["state"] for thesis in turn(*told)["theses"]] == ["heard", "speaking"]
    told.append(ended("interrupted"))
    over = turn(*told)
    assert (over["state"], over["message"]) == ("interrupted", "interrupted by the next question")
    assert [thesis["state"] for thesis in over["theses"]] == ["heard", "partly"]
    assert over["answered_by"] == "notes"


@pytest.mark.parametrize(
    ("outcome", "detail", "state", "message"),
    [
        ("spoken", "", "done", ""),
        ("no answer", "", "nothing", ""),
        ("failed", "503", "failed", "503"),
        ("stopped", "", "interrupted", "stopped"),
        ("superseded", "", "interrupted", "superseded by the next question"),
        ("closed", "", "interrupted", "the session ended"),
    ],
)
def test_every_outcome_has_a_state(outcome: Outcome, detail: str, state: str, message: str) -> None:
    over = turn(asked(), ended(outcome, detail))
    assert (over["state"], over["message"]) == (state, message)


def test_stages_count_from_the_true_end_of_the_question() -> None:
    stages = {stage["name"]: (stage["start_ms"], stage["end_ms"]) for stage in turn(asked(), ended("spoken"))["stages"]}
    assert stages["silence"] == (0.0, 300.0)
    assert stages["recogniser"] == (310.0, 380.0)
    assert stages["to the ear"] == (430.0, 500.0)


def test_stages_of_a_turn_that_sounds_are_those_that_were_told() -> None:
    told = [
        asked(),
        notices.StageReached(1, Stage.LLM_START, 382_000_000),
        notices.StageReached(1, Stage.FIRST_THESIS, 391_000_000),
        notices.ThesisAdded(FIRST),
        notices.ThesisStarted(FIRST, 500_000_000),
    ]
    stages = {stage["name"]: stage["end_ms"] for stage in turn(*told)["stages"]}
    assert stages == {"silence": 300.0, "wait": 310.0, "recogniser": 380.0, "first thesis": 391.0}


def test_typed_question_is_marked_and_leaves_what_is_being_said_alone() -> None:
    shown = picture(
        notices.SpeechBegan(0.0),
        notices.HeardSoFar(0.5, "and what about"),
        notices.UtteranceHeard(utterance(-1, "How many are we?", "own"), 4, ""),
    )
    assert shown.section("heard")["partial"] == "and what about"
    (only,) = shown.section("turns")["turns"]  # type: ignore[misc]
    assert (only["typed"], only["speaker"], only["generation"]) == (True, "own", 4)


def test_only_the_last_turns_and_messages_are_shown() -> None:
    told: list[Notice] = []
    for generation in range(1, 60):
        told += [asked(generation), ended("spoken", generation=generation), notices.SegmentDropped(generation, "slow")]
    shown = picture(*told)
    turns, said = shown.section("turns")["turns"], shown.section("notices")["notices"]
    assert [each["generation"] for each in turns][-1] == 59  # type: ignore[index, union-attr]
    assert (len(turns), len(said)) == (MOST_TURNS, MOST_NOTICES)  # type: ignore[arg-type]


def test_cost_is_that_of_the_turn_and_of_the_session() -> None:
    usage = Usage("llm", "openai", "small")
    shown = picture(
        notices.Spent(usage, 500_000, False, 1),
        asked(),
        notices.Spent(usage, 1_000_000, False, 1),
        notices.Spent(usage, 2_000_000, False, None),
    )
    shown.day_nano = 10_000_000
    assert shown.section("cost") == {
        "turn": 0.0015,
        "session": 0.0035,
        "day": 0.01,
        "currency": "USD",
        "limit": "$1 a day",
        "state": "ok",
    }


def test_cost_whose_price_nobody_knows_is_null() -> None:
    shown = picture(asked(), notices.Spent(Usage("llm", "own", "m"), None, False, 1))
    assert (shown.section("cost")["turn"], shown.section("cost")["session"]) == (None, None)


def test_budget_that_is_spent_stays_spent() -> None:
    warned = picture(notices.BudgetReached("session", "$0.10", stops=False))
    assert warned.section("cost")["state"] == "warned"
    stopped = picture(
        notices.BudgetReached("session", "$0.50", stops=True), notices.BudgetReached("day", "$0.10", stops=False)
    )
    assert stopped.section("cost")["state"] == "stopped"


@pytest.mark.parametrize(
    ("notice", "level", "part"),
    [
        (notices.BackendFailed("openai", "503", "wait", True), "error", "openai: 503 (wait)"),
        (notices.BackendChanged("tts", "espeak"), "warning", "espeak answers from now on"),
        (notices.SegmentDropped(3, "the recognisers are too slow"), "warning", "too slow"),
        (notices.PriceUnknown("own", "m"), "warning", "the price of m (own) is unknown"),
        (notices.BudgetReached("day", "$2", stops=True), "error", "is spent"),
        (
            notices.UtteranceHeard(utterance(2, "Hm"), 0, "the wearer's own voice"),
            "info",
            "Hm (the wearer's own voice)",
        ),
    ],
)
def test_what_else_happens_is_told_once(notice: Notice, level: str, part: str) -> None:
    shown = picture(notice)
    (said,) = shown.section("notices")["notices"]  # type: ignore[misc]
    assert (said["level"], said["at_ms"]) == (level, 1.0)
    assert part in said["text"]


def test_what_is_said_stays_text() -> None:
    evil = "<script>alert(1)</script>"
    shown = turn(notices.UtteranceHeard(utterance(1, evil), 1, ""))
    assert shown["question"] == evil
