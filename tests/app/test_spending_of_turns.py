"""Money through a whole pipeline: which question it was spent for, what was in vain, and what a spent budget leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sottovoce.app.budget import Limits
from sottovoce.app.journal import Journal
from sottovoce.app.ledger import Ledger
from sottovoce.app.prices import Price, PriceTable
from sottovoce.app.purse import Purse
from sottovoce.assistant import notices
from sottovoce.assistant.notices import Notice
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.session.records import SessionRecord
from sottovoce.session.store import SessionStore
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.fallback.health import Health
from sottovoce.speech.fallback.llm import FallbackGenerator
from sottovoce.speech.fallback.tts import FallbackSynthesizer
from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.speaker import NotEnrolled
from sottovoce.speech.usage import begin_call
from tests.support.fakes import (
    BlockSegmenter,
    ListGenerator,
    Notebook,
    PausingSegmenter,
    ScriptedInput,
    SteppedOutput,
    ToneSynthesizer,
    WordRecognizer,
)

WORDS = {1: "first", 2: "second", 3: "third"}
ANSWERS = {"first": ["aaaa", "bbbb"], "second": ["cc"], "third": ["dd"]}

#: Each transcript, each answer and each thesis that is spoken costs this much (billionths of a dollar).
HEARD, ANSWERED, SPOKEN = 1, 100, 10_000


class PaidRecognizer(WordRecognizer):
    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        with begin_call("asr", "service", "hears") as call:
            call.sounds(60.0)
            return super().transcribe(audio, cancel)


class PaidGenerator(ListGenerator):
    name = "service"

    def generate(self, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        with begin_call("llm", "service", "answers") as call:
            call.told(input_tokens=0, output_tokens=1)
            yield from super().generate(question, cancel)


class PaidSynthesizer(ToneSynthesizer):
    name = "service"

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        with begin_call("tts", "service", "speaks") as call:
            call.speaks("x")
            yield from super().synthesize(text, language, cancel)


def table() -> PriceTable:
    from decimal import Decimal

    return PriceTable(
        [
            Price("service", "hears", minute=Decimal(HEARD) / 10**9),
            Price("service", "answers", output=Decimal(ANSWERED) / 1000),
            Price("service", "speaks", characters=Decimal(SPOKEN) / 1000),
        ]
    )


@dataclass
class Session:
    """A pipeline whose parts are paid for, and the store that keeps it."""

    store: SessionStore
    limits: Limits = field(default_factory=Limits)
    pausing: bool = False
    chained: bool = False

    def __post_init__(self) -> None:
        self.id = self.store.start_session("live")
        ledger = Ledger(self.store, self.id)
        self.purse = Purse(table(), self.limits, ledger)
        self.input, self.seen = ScriptedInput(), Notebook()
        self.paid, self.free = PaidSynthesizer(), ToneSynthesizer()
        generator, synthesizer = PaidGenerator(ANSWERS), self.paid
        chains: list[Health] = []
        if self.chained:
            chains = [Health("llm", ("service", "list")), Health("tts", ("service", "tone"))]
            generator = FallbackGenerator([generator, ListGenerator({"second": ["zz"]})], chains[0])  # type: ignore[assignment]
            synthesizer = FallbackSynthesizer([self.paid, self.free], chains[1], None)  # type: ignore[arg-type,assignment]
        segmenter = PausingSegmenter() if self.pausing else BlockSegmenter()
        parts = Parts(
            self.input,
            segmenter,
            NotEnrolled(),
            [PaidRecognizer(WORDS)],
            generator,
            synthesizer,
            SteppedOutput(),
            self.purse,
        )
        journal = Journal(self.store, self.id, 0, ledger)

        def observe(notice: Notice) -> None:
            self.seen(notice)
            journal(notice)

        self.pipeline = Pipeline(parts, PipelineSettings(lossless=False, pause_s=0.0), observe)
        self.purse.listen(self.pipeline.tell)

    def outcomes(self) -> list[str]:
        return [ended.outcome for ended in self.seen.of(notices.TurnEnded)]  # type: ignore[union-attr]

    def spoken(self) -> list[str]:
        return [notice.thesis.text for notice in self.seen.of(notices.ThesisSpoken)]  # type: ignore[union-attr]

    def record(self) -> SessionRecord:
        assert self.purse.settle(10.0)
        assert self.store.flush(10.0)
        return self.store.session(self.id)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with SessionStore(tmp_path / "sessions.db") as opened:
        yield opened


@contextmanager
def running(session: Session) -> Iterator[Session]:
    session.pipeline.start()
    try:
        yield session
    finally:
        assert session.pipeline.close(10.0) == ()


def test_each_question_is_charged_with_what_was_heard_answered_and_spoken_for_it(store: SessionStore) -> None:
    with running(Session(store)) as session:
        session.input.say(1)
        session.seen.wait_for(notices.TurnEnded, 1)
        session.input.say(2)
        session.seen.wait_for(notices.TurnEnded, 2)
    first, second = session.record().turns
    assert first.cost.nano_usd == HEARD + ANSWERED + 2 * SPOKEN
    assert second.cost.nano_usd == HEARD + ANSWERED + SPOKEN
    assert session.record().summary.cost.wasted_calls == 0


def test_what_was_made_at_a_pause_in_vain_is_counted_and_priced_apart(store: SessionStore) -> None:
    with running(Session(store, pausing=True)) as session:
        session.input.say(1)
        session.seen.wait_for(notices.ThesisForeseen, 2)
        assert session.paid.wait_spoken(2)
        session.input.say(PausingSegmenter.WENT_ON)
        session.input.say(2)
        session.seen.wait_for(notices.ThesisForeseen, 3)
        session.input.say(PausingSegmenter.OVER)
        session.seen.wait_for(notices.TurnEnded)
    record = session.record()
    (turn,) = record.turns
    assert turn.cost.nano_usd == HEARD + ANSWERED + SPOKEN
    assert turn.cost.wasted_calls == 0
    assert record.summary.cost.wasted_nano_usd == HEARD + ANSWERED + 2 * SPOKEN
    assert record.summary.cost.nano_usd == turn.cost.nano_usd + record.summary.cost.wasted_nano_usd


def test_answer_that_has_begun_is_spoken_to_its_end_and_then_no_service_is_called(store: SessionStore) -> None:
    limits = Limits(session_stop=HEARD + ANSWERED)  # reached before a word is spoken
    with running(Session(store, limits)) as session:
        session.input.say(1)
        session.seen.wait_for(notices.TurnEnded, 1)
        session.input.say(2)
        session.seen.wait_for(notices.UtteranceHeard, 2)
    assert session.outcomes() == ["spoken"]
    assert session.spoken() == ["aaaa", "bbbb"]
    reached = session.seen.of(notices.BudgetReached)
    assert [(notice.scope, notice.stops) for notice in reached] == [("session", True)]  # type: ignore[union-attr]
    ignored = session.seen.of(notices.UtteranceHeard)[1].ignored  # type: ignore[union-attr]
    assert ignored.startswith("not transcribed: the budget of this session")
    assert session.record().summary.cost.nano_usd == HEARD + ANSWERED + 2 * SPOKEN


def test_offline_backends_of_a_chain_go_on_when_the_budget_is_spent(store: SessionStore) -> None:
    session = Session(store, Limits(session_stop=2 * HEARD + ANSWERED + 2 * SPOKEN), chained=True)
    with running(session):
        session.input.say(1)
        session.seen.wait_for(notices.TurnEnded, 1)
        session.input.say(2)  # hearing it spends the last of it
        session.seen.wait_for(notices.TurnEnded, 2)
    assert session.outcomes() == ["spoken", "spoken"]
    assert session.spoken() == ["aaaa", "bbbb", "zz"]
    assert (session.paid.spoken, session.free.spoken) == (["aaaa", "bbbb"], ["zz"])
    record = session.record()
    assert [turn.cost.calls for turn in record.turns] == [4, 1]
    assert [event.detail for event in record.events if event.kind == "budget"] == [
        {"scope": "session", "limit": "$0.000020102", "stops": True}
    ]
