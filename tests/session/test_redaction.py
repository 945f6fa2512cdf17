"""What is given away has no word of anybody, and is of use all the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sottovoce.session.codec import assemble, encode
from sottovoce.session.export import FORMATS
from sottovoce.session.records import (
    BackendChanged,
    BackendFailed,
    EngineMeasured,
    MachineMade,
    MachineStep,
    SessionRecord,
    SessionSummary,
    StreamHealth,
    TranscriptPolicy,
)
from sottovoce.session.redaction import HIDDEN, redacted, scrubbed
from sottovoce.session.spending import Spending
from tests.session.samples import ORIGIN_NS, S, conversation

SUMMARY = SessionSummary(
    7,
    "live",
    datetime(2026, 5, 1, 9, 30, tzinfo=UTC),
    datetime(2026, 5, 1, 9, 31, tzinfo=UTC),
    "ended",
    "/home/anna/plans",
    2,
    1,
    2,
    title="When do we launch?",
)
SETTINGS = {
    "asr.backend": "openai, pocketsphinx",
    "tts.speed": 1.35,
    "speaker.verify": True,
    "speaker.profile": "anna",
    "notes.path": "/home/anna/plans",
    "openai.base_url": "https://box.anna.example/v1",
    "audio.output": "Anna's AirPods",
}
FAILED = BackendFailed("whisper", "cannot read /home/anna/my plans/model.bin: permission denied", retryable=True)
AIRPODS = StreamHealth("output", "Anna's AirPods", "running", bluetooth=True, recreate_reason="'Anna's AirPods' went")
#: What must not be in anything that is given away.
TELLING = ("launch", "June", "zanzibar", "law.md", "anna", "Anna", "plans", "AirPods", "headset", "box.", "Law")


def session() -> SessionRecord:
    events = [
        *conversation(),
        (19, FAILED),
        (19, BackendChanged("asr", "pocketsphinx")),
        (20, EngineMeasured((AIRPODS,))),
        (20, MachineMade({"max_theses": 8, "speculate": "answer"})),
        (20, MachineStep({"event": "heard"}, ("ask",))),
    ]
    rows = [encode(event, ORIGIN_NS + at_s * S, TranscriptPolicy.KEEP) for at_s, event in events]
    calls = (Spending("llm", "box.anna.example", "llama", day="2026-05-01", nano_usd=5),)
    return assemble(SUMMARY, SETTINGS, TranscriptPolicy.KEEP, ORIGIN_NS, rows, calls, {"sottovoce": "1.2"})


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_of_a_redacted_session_tells_anything(name: str) -> None:
    whole, given = FORMATS[name](session()), FORMATS[name](redacted(session()))
    assert [word for word in TELLING if word in given] == []
    if name != "trace":  # which never had any
        assert [word for word in TELLING if word in whole] != []


def test_times_figures_and_errors_stay() -> None:
    before, given = session(), redacted(session())
    shape = json.loads(FORMATS["json"](given))
    assert [(said.start_s, said.words.length) for said in given.utterances] == [(10.0, 18), (20.0, 12)]
    assert given.turns[0].stages == before.turns[0].stages
    assert [(thesis.status, thesis.heard_s) for thesis in given.turns[0].theses] == [
        (thesis.status, thesis.heard_s) for thesis in before.turns[0].theses
    ]
    assert given.settings == {"asr.backend": "openai, pocketsphinx", "tts.speed": 1.35, "speaker.verify": True}
    assert given.steps == before.steps
    assert given.summary.cost == before.summary.cost
    details = [event.detail for event in given.events]
    assert {"backend": "whisper", "message": f"{HIDDEN}: permission denied", "retryable": True} in details
    assert {"part": "asr", "backend": "pocketsphinx"} in details
    assert given.engine == (replace(AIRPODS, device=HIDDEN, recreate_reason=given.engine[0].recreate_reason),)
    assert shape["session"]["versions"] == {"sottovoce": "1.2"}
    assert shape["session"]["transcripts"] == "redact"
    assert FORMATS["srt"](given).count("-->") == 3


def test_redacting_twice_is_redacting_once() -> None:
    assert redacted(redacted(session())) == redacted(session())


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("openai did not answer within 3.0 s", "openai did not answer within 3.0 s"),
        ("the key doesn't fit, and isn't new", "the key doesn't fit, and isn't new"),
        ("device 'Anna' is gone", f"device {HIDDEN} is gone"),
        ('cannot open "my plan"', f"cannot open {HIDDEN}"),
        ("cannot open my plan.md", HIDDEN),
        (r"C:\Users\Anna: denied", f"{HIDDEN}: denied"),
        ("whisper: no answer from http://box:8000/v1", f"whisper: {HIDDEN}"),
        ("write to anna@example.org", HIDDEN),
        ("took 2.5 s, 10 times", "took 2.5 s, 10 times"),
    ],
)
def test_messages_lose_what_they_name(message: str, left: str) -> None:
    assert scrubbed(message) == left
