"""When the wearer has said a thesis in own words."""

from __future__ import annotations

import pytest

from sottovoce.assistant.follow import Follower
from sottovoce.assistant.messages import Thesis

ENGLISH = Thesis(1, 1, "The launch moved to October because of the supplier")
RUSSIAN = Thesis(1, 1, "Запуск перенесли на октябрь из-за поставщика")


@pytest.mark.parametrize(
    ("thesis", "said"),
    [
        (ENGLISH, "we are moving our launch to october, the suppliers were late"),
        (ENGLISH, "October is when it launches, since the supplier was slow"),
        (RUSSIAN, "запуск мы перенесли, поставщик подвёл, будет в октябре"),
        (Thesis(1, 1, "It is what it is"), "no"),
    ],
)
def test_thesis_that_was_said_in_other_forms_of_its_words_is_covered(thesis: Thesis, said: str) -> None:
    follower = Follower()
    follower.began(thesis)
    assert follower.said(said) == thesis
    assert follower.said(said) is None


@pytest.mark.parametrize("said", ["", "well that is a good question", "the supplier", "мы это обсудим"])
def test_what_is_about_something_else_or_only_a_part_covers_nothing(said: str) -> None:
    for thesis in (ENGLISH, RUSSIAN):
        follower = Follower()
        follower.began(thesis)
        assert follower.said(said) is None


def test_what_was_said_in_several_utterances_counts_together_but_not_before_the_thesis() -> None:
    follower = Follower()
    assert follower.said("launch october supplier moved") is None
    follower.began(ENGLISH)
    assert follower.said("the launch has moved") is None
    assert follower.said("to october") == ENGLISH
    follower.began(RUSSIAN)
    assert follower.said("to october") is None
