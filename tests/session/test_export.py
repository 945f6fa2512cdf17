"""One session in three formats."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sottovoce.session.codec import Row, assemble, encode
from sottovoce.session.export import FORMATS, to_json, to_markdown, to_srt
from sottovoce.session.records import (
    QuestionAccepted,
    SessionRecord,
    SessionSummary,
    SpeakerKind,
    ThesisChanged,
    ThesisStatus,
    TranscriptPolicy,
    UtteranceHeard,
    UtteranceRecord,
    Words,
)
from tests.session.samples import ORIGIN_NS, S, conversation, heard

SUMMARY = SessionSummary(
    id=7,
    kind="live",
    started=datetime(2024, 5, 1, 9, 30, tzinfo=UTC),
    ended=datetime(2024, 5, 1, 9, 31, tzinfo=UTC),
    outcome="finished",
    notes="talk/",
    utterances=2,
    turns=1,
    theses=2,
    title="When do we launch?",
)


def session(policy: TranscriptPolicy = TranscriptPolicy.KEEP) -> SessionRecord:
    rows = [encode(event, ORIGIN_NS + at_s * S, policy) for at_s, event in conversation()]
    summary = SUMMARY if policy is TranscriptPolicy.KEEP else replace(SUMMARY, title="")
    return assemble(summary, {"speed": 1.35}, policy, ORIGIN_NS, rows, versions={"sottovoce": "1"})


def test_markdown_shows_theses_under_their_question() -> None:
    assert to_markdown(session()).splitlines() == [
        "# Session 7",
        "",
        "- live, 2024-05-01 09:30:00 UTC, 60 s, finished",
        "- notes: talk/",
        "",
        "**00:10 other:** When do we launch?",
        "",
        "1. On the third of June (Launch (launch.md))",
        "2. Mind the zanzibar clause (Law (law.md)) [made]",
        "",
        "_asr 250 ms_",
        "",
        "**00:20 own:** Right, June. _(not answered: own voice)_",
        "",
        "## Events",
        "",
        "- 00:15 device: device headset, message gone",
    ]


def test_json_has_the_documented_shape() -> None:
    shape = json.loads(to_json(session()))
    assert list(shape) == [
        "format",
        "session",
        "utterances",
        "turns",
        "speculations",
        "spending",
        "events",
        "engine",
    ]
    assert shape["format"] == 1
    assert shape["session"] == {
        "id": 7,
        "kind": "live",
        "started": "2024-05-01T09:30:00+00:00",
        "ended": "2024-05-01T09:31:00+00:00",
        "outcome": "finished",
        "title": "When do we launch?",
        "notes": "talk/",
        "transcripts": "keep",
        "settings": {"speed": 1.35},
        "versions": {"sottovoce": "1"},
        "cost": {
            "calls": 0,
            "nano_usd": 0,
            "unpriced": 0,
            "estimated": 0,
            "wasted_calls": 0,
            "wasted_nano_usd": 0,
        },
    }
    assert shape["utterances"][0] == {
        "number": 1,
        "start_s": 10.0,
        "end_s": 12.5,
        "speaker": "other",
        "text": "When do we launch?",
        "length": 18,
        "confidence": 0.75,
        "language": "en",
        "backend": "pocketsphinx",
        "ignored": "",
        "aside": False,
        "ear": "microphone",
    }
    (turn,) = shape["turns"]
    assert turn["question"] == {"text": "When do we launch?", "length": 18}
    assert turn["stages"] == [{"name": "asr", "start_s": 13.0, "length_ms": 250.0}]
    assert turn["theses"][0] == {
        "number": 1,
        "text": "On the third of June",
        "length": 20,
        "source": "Launch (launch.md)",
        "status": "heard",
        "start_s": 14.5,
        "spoken_s": 2.0,
        "heard_s": 2.0,
    }
    assert shape["events"] == [{"at_s": 15.0, "kind": "device", "detail": {"device": "headset", "message": "gone"}}]


def test_subtitles_hold_what_was_said_and_what_was_heard() -> None:
    assert to_srt(session()) == (
        "1\n00:00:10,000 --> 00:00:12,500\nother: When do we launch?\n\n"
        "2\n00:00:14,500 --> 00:00:16,500\n> On the third of June\n\n"
        "3\n00:00:20,000 --> 00:00:22,500\nown: Right, June.\n"
    )


def test_subtitles_survive_texts_that_look_like_subtitles() -> None:
    said = UtteranceHeard(1, 3599.9996, 3601.0, SpeakerKind.OTHER, "a\n\n2\n00:00:01 --> 00:00:02\nb")
    record = assemble(SUMMARY, {}, TranscriptPolicy.KEEP, 0, [encode(said, 0, TranscriptPolicy.KEEP)])
    assert to_srt(record) == "1\n01:00:00,000 --> 01:00:01,000\nother: a 2 00:00:01 -> 00:00:02 b\n"


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_tells_what_was_not_kept(name: str) -> None:
    for policy in (TranscriptPolicy.REDACT, TranscriptPolicy.OFF):
        text = FORMATS[name](session(policy))
        for word in ("launch?", "June", "zanzibar", "law.md"):
            assert word not in text
    assert "[18 characters]" in to_markdown(session(TranscriptPolicy.REDACT))
    assert "[not kept]" in to_markdown(session(TranscriptPolicy.OFF))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_a_session_without_end_and_without_events(name: str) -> None:
    empty = SessionRecord(replace(SUMMARY, ended=None, outcome=None), {}, TranscriptPolicy.KEEP, (), ())
    assert isinstance(FORMATS[name](empty), str)
    assert "no end noted" in to_markdown(empty)


def test_thesis_whose_question_was_lost_is_still_shown() -> None:
    event = ThesisChanged(4, 1, "Hold on", "", ThesisStatus.INTERRUPTED)
    row = encode(event, ORIGIN_NS + 5 * S, TranscriptPolicy.KEEP)
    record = assemble(SUMMARY, {}, TranscriptPolicy.KEEP, ORIGIN_NS, [row])
    assert record.turns[0].utterance is None
    assert "1. Hold on [interrupted]" in to_markdown(record)
    assert "**00:05** (a question that was not stored)" in to_markdown(record)


def test_event_of_a_kind_that_is_not_known_is_kept() -> None:
    record = assemble(SUMMARY, {}, TranscriptPolicy.KEEP, 0, [Row(2 * S, "weather", '{"sky": "blue"}')])
    assert (record.events[0].kind, record.events[0].detail) == ("weather", {"sky": "blue"})


def test_aside_of_the_wearer_stands_beside_the_question_and_takes_nothing_of_it() -> None:
    said = UtteranceRecord(
        1, 12.6, 14.0, SpeakerKind.OWN, Words("Let me see", 10), 0.5, "en", "pocketsphinx", aside=True
    )
    whole = session()
    record = replace(whole, utterances=(whole.utterances[0], said, *whole.utterances[1:]))
    page = to_markdown(record)
    assert page.count("On the third of June") == 1
    assert page.index("When do we launch?") < page.index("On the third of June") < page.index("Let me see")
    assert [each["aside"] for each in json.loads(to_json(record))["utterances"]][:2] == [False, True]


def test_subtitles_of_a_recording_have_the_theses_behind_their_question() -> None:
    thesis = {"turn": 1, "source": "", "status": ThesisStatus.HEARD}
    events = [
        heard(360, "When do we launch?"),
        QuestionAccepted(1, 360),
        ThesisChanged(number=1, text="In June", start_s=4.0, spoken_s=1.0, heard_s=1.0, **thesis),
        ThesisChanged(number=2, text="In Europe", start_s=4.1, spoken_s=2.0, heard_s=2.0, **thesis),
    ]
    rows = [encode(event, ORIGIN_NS, TranscriptPolicy.KEEP) for event in events]
    cues = {
        kind: [
            line
            for line in to_srt(
                assemble(replace(SUMMARY, kind=kind), {}, TranscriptPolicy.KEEP, ORIGIN_NS, rows)
            ).splitlines()
            if "-->" in line
        ]
        for kind in ("answer", "live")
    }
    assert cues["answer"] == [
        "01:00:00,000 --> 01:00:02,500",
        "01:00:02,500 --> 01:00:03,500",
        "01:00:03,500 --> 01:00:05,500",
    ]
    assert cues["live"][0] == "00:00:04,000 --> 00:00:05,000"
