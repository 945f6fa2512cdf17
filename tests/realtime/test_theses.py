"""Theses, from the generator to the ear: synthesised, narrated, played through PortAudio, and recorded again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sottovoce.app.wiring import VOICE_PREBUFFER_S
from sottovoce.assistant import notices
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.audio.player import Player
from sottovoce.audio.resampler import Resampler
from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.core.units import s_to_frames
from sottovoce.metrics.stages import Stage
from sottovoce.speech.registry import open_synthesizer
from sottovoce.speech.speaker import NotEnrolled
from sottovoce.speech.tts.base import Synthesizer
from tests.realtime.signals import error_db, excerpt
from tests.support.fakes import BlockSegmenter, ListGenerator, Notebook, ScriptedInput, WordRecognizer
from tests.support.soundcard import SoundCard

pytestmark = pytest.mark.device

THESES = ["On the third of June", "First in Europe, then everywhere", "Orders open on the first of May"]
PAUSE_S = 0.25
RATE = 48_000

#: A test machine is shared, and stands still for longer than the few ms that a device of its own would ask for.
LATENCY_S = 0.3


class OverheardSynthesizer:
    """Remembers what another one has spoken."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self._synthesizer = synthesizer
        self.name = synthesizer.name
        self.samplerate = synthesizer.samplerate
        self.spoken: dict[str, list[Mono]] = {}

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        chunks = self.spoken.setdefault(text, [])
        for chunk in self._synthesizer.synthesize(text, language, cancel):
            chunks.append(chunk)
            yield chunk


def expected(synthesizer: OverheardSynthesizer) -> Mono:
    """The theses with the pauses between, in one piece, at the rate of the card."""
    resampler = Resampler(synthesizer.samplerate, RATE)
    pause = np.zeros(s_to_frames(PAUSE_S, synthesizer.samplerate), np.float32)
    pieces: list[Mono] = []
    for number, text in enumerate(THESES):
        pieces += [*([pause] if number else []), *synthesizer.spoken[text]]
    return np.concatenate([resampler.process(np.concatenate(pieces)), resampler.flush()])


def test_theses_are_in_the_ear_whole_and_without_a_gap(sound_card: SoundCard) -> None:
    espeak = open_synthesizer("espeak")
    espeak.warm()
    synthesizer = OverheardSynthesizer(espeak)
    ear, seen = ScriptedInput(), Notebook()
    recording = sound_card.record()
    with (
        Player(RATE, 2, device="vs48", latency=LATENCY_S) as player,
        player.open_source(synthesizer.samplerate, prebuffer_s=VOICE_PREBUFFER_S) as voice,
    ):
        parts = Parts(
            ear,
            BlockSegmenter(),
            NotEnrolled(),
            [WordRecognizer({1: "when do we launch"})],
            ListGenerator({"when do we launch": THESES}),
            synthesizer,
            voice,
        )
        pipeline = Pipeline(parts, PipelineSettings(lossless=False, pause_s=PAUSE_S), seen)
        pipeline.start()
        ear.say(1)
        ear.end()
        assert pipeline.wait(30.0)
        assert pipeline.close(5.0) == ()
        counters = player.snapshot_state().stream.counters
    wanted = expected(synthesizer)
    heard = excerpt(recording.stop()[:, 0], wanted)
    assert counters["starvations"] == 0
    assert error_db(heard, wanted) < -80.0
    assert [notice.thesis.text for notice in seen.of(notices.ThesisSpoken)] == THESES  # type: ignore[union-attr]
    (ended,) = seen.of(notices.TurnEnded)
    marks = ended.times.marks_ns  # type: ignore[union-attr]
    assert marks[Stage.FIRST_SAMPLE] > marks[Stage.TTS_FIRST_CHUNK]
    assert (marks[Stage.LAST_SAMPLE] - marks[Stage.FIRST_SAMPLE]) / 1e9 == pytest.approx(len(wanted) / RATE, abs=0.3)
