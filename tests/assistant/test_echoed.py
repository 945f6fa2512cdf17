"""The same words at the same time in both ears are an echo; what is said besides, or again later, is not."""

from __future__ import annotations

import pytest

from sottovoce.assistant.echoed import EchoLimits, Said, WithoutEcho, without_echo

PLAYED = [Said("so what does it cost to send the whole thing back to you", 10.0, 14.0)]


@pytest.mark.parametrize(
    "heard",
    [
        "so what does it cost to send the whole thing back to you",
        "what does it cost to sent a whole thing back",
        "So what does it caused to send the hole thing back, to you?",
        "does it cost to send",
    ],
)
def test_echo_is_dropped_also_where_it_is_misheard(heard: str) -> None:
    found = without_echo(Said(heard, 10.2, 14.3), PLAYED)
    assert found == WithoutEcho("", len(heard.split()))


@pytest.mark.parametrize(
    ("heard", "left"),
    [
        ("I would have to look that up for you in the list", "I would have to look that up for you in the list"),
        ("to be honest it is the whole point of it", "to be honest it is the whole point of it"),
        ("", ""),
    ],
)
def test_words_of_the_wearer_stay(heard: str, left: str) -> None:
    assert without_echo(Said(heard, 10.0, 14.0), PLAYED) == WithoutEcho(left, 0)


def test_what_is_said_besides_stays_as_it_was_written() -> None:
    heard = "so what does it cost to send the whole thing back to you Well, let me see, ten."
    found = without_echo(Said(heard, 10.2, 16.5), PLAYED)
    assert found == WithoutEcho("Well, let me see, ten.", 13)


def test_what_is_repeated_later_stays() -> None:
    heard = Said("what does it cost to send the whole thing back", 14.6, 17.5)
    assert without_echo(heard, PLAYED).dropped == 0


def test_overlapping_pre_roll_makes_no_echo_of_a_repetition() -> None:
    heard = Said("what does it cost", 13.8, 15.4)
    assert without_echo(heard, PLAYED).dropped == 0


@pytest.mark.parametrize(("heard", "dropped"), [("yes", 1), ("no", 0), ("yes yes", 0)])
def test_short_utterance_is_an_echo_only_as_a_whole(heard: str, dropped: int) -> None:
    assert without_echo(Said(heard, 3.1, 3.6), [Said("yes", 3.0, 3.5)]).dropped == dropped


def test_echo_of_two_utterances_is_found() -> None:
    played = [Said("how old are you", 1.0, 2.0), Said("and where do you live", 2.4, 3.4)]
    assert without_echo(Said("how old are you and where do you live", 1.1, 3.6), played).text == ""


def test_russian_is_compared_by_letters() -> None:
    played = [Said("Сколько стоит отправить всё это назад?", 5.0, 8.0)]
    assert without_echo(Said("сколько стоит отправить все это назад", 5.2, 8.2), played).text == ""


def test_limits_decide_what_is_the_same() -> None:
    heard = Said("what does it caused to sent", 10.2, 12.0)
    assert without_echo(heard, PLAYED).text == ""
    assert without_echo(heard, PLAYED, EchoLimits(alike=1.0, misheard=0)).dropped < 6


def test_nothing_played_drops_nothing() -> None:
    assert without_echo(Said("what does it cost", 1.0, 2.0), []) == WithoutEcho("what does it cost", 0)
