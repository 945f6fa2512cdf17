"""A small session for the tests of this folder."""

from __future__ import annotations

from sottovoce.session.records import (
    DeviceChanged,
    Event,
    QuestionAccepted,
    QuestionIgnored,
    SpeakerKind,
    StageTime,
    ThesisChanged,
    ThesisStatus,
    TurnEnded,
    UtteranceHeard,
)

S = 1_000_000_000
MS = 1_000_000
ORIGIN_NS = 1000 * S

QUESTION = "When do we launch?"
SECRET = "the zanzibar clause"


class HeldClock:
    """A clock that stands where the test puts it."""

    def __init__(self, ns: int = ORIGIN_NS) -> None:
        self.ns = ns

    def now_ns(self) -> int:
        return self.ns


def heard(number: int, text: str, speaker: SpeakerKind = SpeakerKind.OTHER) -> UtteranceHeard:
    return UtteranceHeard(number, number * 10.0, number * 10.0 + 2.5, speaker, text, 0.75, "en", "pocketsphinx")


def conversation() -> list[tuple[int, Event]]:
    """Moments (seconds since the start) and events of a question, its answer, and a remark of the wearer."""
    thesis = {"turn": 1, "text": "On the third of June", "source": "Launch (launch.md)"}
    stages = (StageTime("asr", ORIGIN_NS + 13 * S, ORIGIN_NS + 13 * S + 250 * MS),)
    return [
        (13, heard(1, QUESTION)),
        (13, QuestionAccepted(1, 1)),
        (14, ThesisChanged(number=1, status=ThesisStatus.MADE, **thesis)),
        (14, ThesisChanged(number=2, turn=1, text=f"Mind {SECRET}", source="Law (law.md)", status=ThesisStatus.MADE)),
        (15, DeviceChanged("headset", "gone")),
        (17, ThesisChanged(number=1, status=ThesisStatus.HEARD, start_s=14.5, spoken_s=2.0, heard_s=2.0, **thesis)),
        (18, TurnEnded(1, "spoken", stages)),
        (23, heard(2, "Right, June.", SpeakerKind.OWN)),
        (23, QuestionIgnored(2, "own voice")),
    ]
