"""How long texts take to speak."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.app.demo import SAMPLE_NOTES
from sottovoce.core.cancel import CancelToken
from sottovoce.speech.notes.duration import spoken_s
from sottovoce.speech.notes.reader import read_notes
from sottovoce.speech.notes.text import MAX_S, SPEED, theses
from sottovoce.speech.registry import open_synthesizer


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


def test_theses_are_spoken_in_their_time() -> None:
    pytest.importorskip("espeakng_loader", reason="speaks: pip install sottovoce[offline]")
    points = [point for note in read_notes(SAMPLE_NOTES).notes for point in (*note.points, *note.questions)]
    long = (
        " and ".join(points[:20])
        + ". Мы запускаем продажи третьего июня сначала в Европе, а потом во всех странах мира"
    )
    said = [thesis for text in (*points, long) for thesis in theses(text)]
    voice = open_synthesizer("espeak", voice="auto", speed=SPEED)
    taken_s = [
        sum(map(len, voice.synthesize(thesis, "en" if thesis.isascii() else "ru", CancelToken()))) / voice.samplerate
        for thesis in said
    ]
    voice.close()
    assert sum(taken <= MAX_S for taken in taken_s) >= 0.98 * len(said)
    assert max(taken_s) > 0.6 * MAX_S, "what is long enough is not cut any shorter"
