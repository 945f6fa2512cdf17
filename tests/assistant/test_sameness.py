"""Which words at the end of a question change nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.assistant.sameness import asked_words, asks_the_same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("what does it cost", "What does it cost?"),
        ("what does it cost", "what does it cost, please"),
        ("what does it cost for us", "what does it cost then"),
        ("what’s the plan", "What's the plan..."),
        ("сколько это стоит", "Сколько это стоит, пожалуйста?"),
        ("когда всё готово", "когда все готово для вас"),
        ("is it ＯＫ to stay", "is it ok to stay"),
    ],
)
def test_courtesy_case_and_punctuation_change_nothing(one: str, other: str) -> None:
    assert asks_the_same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("what is it", "what is it for"),
        ("is it ready", "is it not ready"),
        ("can we stay", "can we stay not"),
        ("what does it cost", "what does it cost in june"),
        ("what does it cost", "what does it cost and why"),
        ("who leads the team", "who leads the teams"),
        ("это готово", "это не готово"),
        ("мы готовы", "мы готовы нет"),
        ("please wait", "wait"),
        ("please", "then"),
    ],
)
def test_what_asks_something_else_is_not_the_same(one: str, other: str) -> None:
    assert not asks_the_same(one, other)


@given(st.lists(st.sampled_from(["What", "IT", "for", "us", "please", "then", "not", "Ещё", "вас", "—", "it's,"])))
def test_what_is_left_of_a_text_asks_the_same(words: list[str]) -> None:
    text = " ".join(words)
    left = asked_words(text)
    assert bool(left) == any(char.isalpha() for char in text)
    assert asked_words(" ".join(left)) == left
