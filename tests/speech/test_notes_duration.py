"""How long texts take to speak."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.speech.notes.duration import spoken_s


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [
        ("a lamp", "an extraordinary illumination"),
        ("in May", "in 2026"),
        ("a cat", "HTTP XML"),
        ("one two", "one, two"),
        ("это лампа", "это электрификация"),
        ("10", "10 %"),
    ],
)
def test_what_has_more_to_say_takes_longer(shorter: str, longer: str) -> None:
    assert 0 < spoken_s(shorter) < spoken_s(longer)


def test_faster_voice_takes_less() -> None:
    assert spoken_s("a lamp", 2.0) == pytest.approx(spoken_s("a lamp") / 2)


@given(st.text(max_size=100), st.text(max_size=20))
def test_more_text_never_takes_less(text: str, more: str) -> None:
    assert spoken_s(f"{text} {more}") >= spoken_s(text) - 1e-9
