"""A call, in short: the other one leaks from the loudspeaker into the microphone while the enrolled wearer speaks.

Of recordings for tuning, and few of them: the figures that count are those of ``bench/run.py hearing``. What is counted
is printed, whatever pytest does with what tests print.
"""

from __future__ import annotations

import numpy as np
import pytest

from bench.calls import RATE, TUNING, Call, calls
from bench.hearing.call import Counted, cancelled, count, hear, listen, microphone, own_voice, segments, without_echo
from sottovoce.core.types import Mono
from sottovoce.speech.asr.pocketsphinx import PocketsphinxRecognizer
from sottovoce.speech.registry import describe
from tests.support.shared import shared_data

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(bool(describe("aec", "blend").missing), reason='pip install "sottovoce[aec]"'),
]


@pytest.fixture(scope="module")
def call() -> Call:
    """The first one for tuning, with an echo as loud as the wearer."""
    shared_data()
    return max(calls(TUNING)[:3], key=lambda each: each.echo_db)


def heard_alone_s(call: Call, audio: Mono) -> float:
    """Seconds of segments of a microphone that lie where only the other one speaks, once there was time to learn."""
    speech = np.zeros(len(audio) + RATE, bool)
    for segment in segments(audio):
        speech[round(segment.start_s * RATE) : round(segment.speech_end_s * RATE)] = True
    alone = [part for part in call.alone(call.far_said, call.near_said) if part.start > 2 * RATE]
    return sum(int(speech[part].sum()) for part in alone) / RATE


def test_other_one_is_no_speech_at_the_microphone(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    leaking, clean = (heard_alone_s(call, make(call)) for make in (microphone, cancelled))
    with capsys.disabled():
        print(f"\nthe other one alone: {leaking:.1f} s of speech without, {clean:.1f} s with the canceller")  # noqa: T201
    assert leaking > 5.0  # the control: it is heard
    assert clean < 0.2 * leaking


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_transcribed_twice(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    recognizer = PocketsphinxRecognizer()
    played = listen(recognizer, call.far)
    counted: dict[str, Counted] = {
        name: count(
            call, without_echo(hear(recognizer, call, make), played) if compare else hear(recognizer, call, make)
        )
        for name, make, compare in (
            ("neither", microphone, False),
            ("both", cancelled, True),
            ("no echo", own_voice, False),
        )
    }
    recognizer.close()
    with capsys.disabled():
        for name, each in counted.items():
            told = f"{each.duplicates} of {each.far_words} words twice, {each.errors.wrong} of {each.errors.said} wrong"
            print(f"\n{name}: {told}")  # noqa: T201
    assert counted["neither"].duplicates > 0.1 * counted["neither"].far_words
    assert counted["both"].duplicates <= 0.05 * counted["both"].far_words
    assert counted["both"].errors.wrong <= counted["neither"].errors.wrong
