"""Real recordings of people, spliced with pauses and noise: their questions are answered, and they may pause.

The recogniser understands what is in its bank, and of free speech too little to judge a session by it. So a question
counts whose words are the heading of a note, and it has got its answer if the first thesis of an answer to it is that
of its own note. A sentence is cut in two if more than one utterance was made of it; it is rejoined if the last of
them holds what came before.

Both figures are printed, whatever pytest does with what tests print.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from sottovoce.app.settings import Config
from sottovoce.app.wiring import make_segmenter
from sottovoce.speech.asr.pocketsphinx import PocketsphinxRecognizer
from sottovoce.speech.llm.base import Generator
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.notes.reader import read_notes
from sottovoce.speech.registry import open_generator
from sottovoce.speech.segmenter import SegmenterSettings
from tests.support.tape import Session, Tape, hold, recordings, splice

pytestmark = pytest.mark.data

#: As a live session has them.
LIVE = make_segmenter(Config(), pause_ms=Config().vad.pause_ms).settings

#: Of sentences that are read, the share that gets its answer at least, that a pause of 0.3 s cuts in two at most, and
#: that is left in two, as docs/speech.md states them.
LEAST_ANSWERED, MOST_CUT, MOST_LEFT = 0.9, 0.2, 0.05

#: How many questions were answered, cut in two, and rejoined.
Figures: TypeAlias = Callable[[str, Tape, Session], tuple[int, int, int]]


@pytest.fixture(scope="module")
def recognizer() -> Iterator[PocketsphinxRecognizer]:
    opened = PocketsphinxRecognizer()
    opened.warm()
    yield opened
    opened.close()


def heard(tape: Tape, recognizer: PocketsphinxRecognizer, folder: Path, settings: SegmenterSettings = LIVE) -> Session:
    """What a session makes of a tape whose questions are all in the notes."""
    notes = folder / "notes.md"
    questions = "".join(f"# {spoken.words}?\n- answer {number}\n\n" for number, spoken in enumerate(tape.spoken))
    others = "# What is the weather like?\n- rain\n\n# How old are you?\n- eleven\n\n"
    notes.write_text(others + questions, encoding="utf-8")
    index = NotesIndex(read_notes(notes).notes)
    recognizer.adapt(index.questions())
    generator: Generator = open_generator("notes", index=index)
    try:
        return hold(tape, recognizer, generator, settings)
    finally:
        generator.close()
        index.close()


@pytest.fixture
def figures(capsys: pytest.CaptureFixture[str]) -> Figures:
    """How many questions were answered with their own note, and how many were cut; both are printed."""

    def printed(what: str, tape: Tape, session: Session) -> tuple[int, int, int]:
        asked = list(enumerate(tape.spoken))
        answered = [spoken for number, spoken in asked if f"answer {number}" in session.answers_to(spoken)]
        cut = [spoken for spoken in tape.spoken if len(session.heard_of(spoken)) > 1]
        heard_of = [session.heard_of(spoken) for spoken in cut]
        rejoined = sum(texts[-1].startswith(f"{texts[0].rstrip('?')} ") for texts in heard_of)
        with capsys.disabled():
            all_ = len(tape.spoken)
            shares = f"answered {len(answered)} of {all_}, cut in two {len(cut)} of {all_}, {rejoined} of them rejoined"
            print(f"\n{what}: {shares}")  # noqa: T201
        for spoken in tape.spoken:
            if spoken not in answered or spoken in cut:
                print(f"{spoken.words!r} was heard as {session.heard_of(spoken)}")  # noqa: T201
        return len(answered), len(cut), rejoined

    return printed


def test_questions_are_answered_although_their_speakers_pause(
    recognizer: PocketsphinxRecognizer, figures: Figures, tmp_path: Path
) -> None:
    tape = splice(recordings("questions", "cards"), gap_s=1.2, pause_s=0.2, snr_db=20.0, seed=1)
    answered, cut, _ = figures("questions, 0.2 s of pause in each, 20 dB", tape, heard(tape, recognizer, tmp_path))
    assert answered == len(tape.spoken)
    assert cut == 0


@pytest.mark.slow
def test_pauses_cut_where_every_silence_ends_a_question(
    recognizer: PocketsphinxRecognizer, figures: Figures, tmp_path: Path
) -> None:
    tape = splice(recordings("questions", "cards"), gap_s=1.2, pause_s=0.3, snr_db=20.0, seed=1)
    hasty = SegmenterSettings(hang_over_ms=200, short_hang_over_ms=200, min_segment_ms=600)
    _, cut, rejoined = figures("every silence of 0.2 s ends a question", tape, heard(tape, recognizer, tmp_path, hasty))
    assert cut >= len(tape.spoken) // 2
    assert rejoined < cut


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("pause_s", [0.0, 0.3])
def test_sentences_of_many_people_are_answered(
    recognizer: PocketsphinxRecognizer, figures: Figures, tmp_path: Path, pause_s: float
) -> None:
    rows = recordings("questions", "cards", "speechbrain", "misc", "libri_test_other", most_s=3.5)
    tape = splice(rows, gap_s=1.5, pause_s=pause_s, snr_db=20.0, seed=2)
    what = f"sentences, {pause_s:g} s of pause in each, 20 dB"
    answered, cut, rejoined = figures(what, tape, heard(tape, recognizer, tmp_path))
    assert answered >= LEAST_ANSWERED * len(tape.spoken)
    assert cut <= MOST_CUT * len(tape.spoken)
    assert cut - rejoined <= MOST_LEFT * len(tape.spoken)
