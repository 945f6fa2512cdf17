"""Words of the microphone wait for those of the loudspeaker, no longer than need be, and never for long."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sottovoce.assistant.echo_gate import REMEMBERED_S, EchoGate
from sottovoce.assistant.messages import EarKind, Heard, SpeakerKind, Thesis, Utterance

WORDS = "what does it cost to send it back"
OTHER = "I have no idea what you mean by that"


def said(
    text: str,
    start_s: float,
    end_s: float,
    ear: EarKind = "microphone",
    speaker: SpeakerKind = "other",
    number: int = 1,
) -> Heard:
    return Heard(Utterance(number, speaker, text, "en", 0.9, start_s, end_s, (), ear=ear))


def played(text: str, start_s: float, end_s: float) -> Heard:
    return said(text, start_s, end_s, "loopback")


def texts(heard: Sequence[Heard]) -> list[str]:
    return [each.utterance.text for each in heard]


@pytest.fixture
def gate() -> EchoGate:
    return EchoGate(patience_s=2.0)


def test_nobody_waits_while_the_loudspeaker_is_silent(gate: EchoGate) -> None:
    heard = said(WORDS, 0.0, 2.0)
    assert gate.heard(heard, 2.5) == [heard]


def test_loopback_never_waits(gate: EchoGate) -> None:
    gate.began(1.0)
    heard = played(WORDS, 0.8, 3.4)
    assert gate.heard(heard, 3.9) == [heard]


def test_echo_waits_for_its_source_and_is_dropped(gate: EchoGate) -> None:
    gate.began(1.0)
    assert gate.heard(said(WORDS, 1.1, 3.2), 3.8) == []
    gate.ended(3.6)
    assert gate.due(4.0) == []
    source, echo = gate.heard(played(WORDS, 0.8, 3.4), 4.1)
    assert (source.utterance.text, source.utterance.echoed_words) == (WORDS, 0)
    assert (echo.utterance.text, echo.utterance.echoed_words) == ("", 8)
    assert (gate.dropped_utterances, gate.dropped_words) == (1, 8)


def test_words_of_the_wearer_pass_once_the_source_is_known(gate: EchoGate) -> None:
    gate.began(1.0)
    assert gate.heard(said(OTHER, 1.1, 3.2, speaker="own"), 3.8) == []
    assert texts(gate.heard(played(WORDS, 0.8, 3.4), 3.9)) == [WORDS, OTHER]
    assert gate.dropped_words == 0


def test_waiting_ends_at_the_limit(gate: EchoGate) -> None:
    gate.began(1.0)
    gate.heard(said(OTHER, 1.1, 3.2), 3.8)
    assert gate.due(5.7) == []
    assert texts(gate.due(5.8)) == [OTHER]


def test_what_is_known_so_far_counts_at_the_limit(gate: EchoGate) -> None:
    gate.began(1.0)
    gate.heard(said(WORDS, 1.1, 3.2), 3.8)
    assert gate.so_far(played(f"{WORDS} and then again", 0.8, 4.5).utterance)
    assert texts(gate.due(5.8)) == [""]


def test_partial_transcripts_of_the_microphone_do_not_pass_while_the_loudspeaker_sounds(gate: EchoGate) -> None:
    partial = said(WORDS, 2.0, 3.0).utterance
    assert gate.so_far(partial)
    gate.began(1.0)
    assert not gate.so_far(partial)
    gate.ended(1.5)
    assert gate.so_far(partial)
    gate.thesis_began(Thesis(1, 1, OTHER), 2.5)
    assert not gate.so_far(partial)


def test_order_is_kept(gate: EchoGate) -> None:
    gate.began(1.0)
    gate.heard(said(OTHER, 1.1, 2.0, number=1), 2.5)
    gate.ended(2.2)
    assert gate.heard(said("so", 5.0, 6.0, number=2), 4.0) == []
    assert [each.utterance.number for each in gate.due(4.5)] == [1, 2]


def test_nothing_is_kept_back_at_the_end(gate: EchoGate) -> None:
    gate.began(1.0)
    gate.heard(said(OTHER, 1.1, 2.0), 2.5)
    assert texts(gate.rest()) == [OTHER]


@pytest.mark.parametrize("ear", ["microphone", "loopback"])
def test_we_do_not_hear_ourselves(gate: EchoGate, ear: EarKind) -> None:
    thesis = Thesis(1, 1, "Sending it back costs five dollars")
    gate.thesis_began(thesis, 10.0)
    assert texts(gate.heard(said("sending it back costs five", 10.3, 12.1, ear), 12.5)) == [""]
    gate.thesis_ended(Thesis(1, 2, "another"), 12.0)
    gate.thesis_ended(thesis, 12.4)
    assert texts(gate.heard(said("it back costs five dollars", 10.6, 12.6, ear), 13.0)) == [""]


def test_wearer_may_follow_a_thesis(gate: EchoGate) -> None:
    gate.thesis_began(Thesis(1, 1, "Sending it back costs five dollars"), 10.0)
    own = said("sending it back costs five dollars", 10.5, 12.5, speaker="own")
    assert gate.heard(own, 12.8) == [own]


def test_memory_is_bounded(gate: EchoGate) -> None:
    for number in range(1000):
        at_s = 3.0 * number
        gate.began(at_s)
        gate.ended(at_s + 2.0)
        gate.heard(played(WORDS, at_s, at_s + 2.0), at_s + 2.1)
        thesis = Thesis(number, 1, WORDS)
        gate.thesis_began(thesis, at_s)
        gate.thesis_ended(thesis, at_s + 2.0)
    for kept in (gate._played, gate._spans, gate._spoken):
        assert len(kept) <= REMEMBERED_S / 3.0 + 2
