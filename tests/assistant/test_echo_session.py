"""What the loudspeaker says is heard once: the microphone's echo of it raises no turn, is named and counted."""

from __future__ import annotations

import threading

import pytest

from sottovoce.app.view import SessionView
from sottovoce.assistant import notices
from sottovoce.assistant.messages import Heard, Utterance
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings, SecondEar
from sottovoce.assistant.trace import Made, Tracer, in_short, replay
from sottovoce.assistant.turn import ECHO
from sottovoce.speech.speaker import NotEnrolled
from tests.assistant.test_two_ears import Beside, WordSegmenter, machine
from tests.support.fakes import ListGenerator, Notebook, ScriptedInput, SteppedOutput, ToneSynthesizer, WordRecognizer

AT_THE_MICROPHONE, FROM_THE_MACHINE = 3, 1


@pytest.mark.parametrize(("echo", "reasons"), [("first", ["", ECHO]), ("other", ["", ""])])
def test_echo_of_what_is_played_raises_no_turn(echo: str, reasons: list[str]) -> None:
    ears, beside, seen, played = ScriptedInput(), Beside(), Notebook(), threading.Event()
    words = WordRecognizer({FROM_THE_MACHINE: "first", AT_THE_MICROPHONE: echo}, {AT_THE_MICROPHONE: played})
    parts = Parts(
        ears,
        WordSegmenter(),
        NotEnrolled(),
        [words] * 2,
        ListGenerator({"first": [], "other": []}),
        ToneSynthesizer(),
        SteppedOutput(),
        second=SecondEar(beside, WordSegmenter()),
    )
    pipeline = Pipeline(parts, PipelineSettings(lossless=False, pause_s=0.1), seen)
    pipeline.start()
    try:
        beside.played = [FROM_THE_MACHINE]
        ears.say(AT_THE_MICROPHONE)
        seen.wait_for(notices.UtteranceHeard)  # by now it is known that the machine plays something
        played.set()
        seen.wait_for(notices.UtteranceHeard, 2)
        ears.end()
        assert pipeline.wait(10.0)
    finally:
        assert pipeline.close(5.0) == ()
    heard = [notice for notice in seen.of(notices.UtteranceHeard) if isinstance(notice, notices.UtteranceHeard)]
    assert [(notice.utterance.ear, notice.ignored) for notice in heard] == list(
        zip(("loopback", "microphone"), reasons, strict=True)
    )
    view = SessionView()
    for notice in heard:
        view.apply(notice)
    assert view.echoed_words == (ECHO in reasons)


def test_echo_is_decided_the_same_when_it_is_replayed() -> None:
    echo = Heard(Utterance(1, "other", "", "en", 0.9, 0.0, 1.0, (), echoed_words=4))
    commands = machine().handle(echo)
    assert in_short(commands[0]) == f"ignore 1: {ECHO}"
    steps = [Tracer(lambda text, language: False).step(echo, commands)]
    assert all(step.same for step in replay(Made(4, "answer"), steps))
