"""Ears of the pipeline: a microphone that is read at leisure until somebody speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from sottovoce.app.inputs import MicrophoneInput
from sottovoce.app.live import Attention
from sottovoce.app.settings import Config
from sottovoce.app.wiring import listen_to, open_recorder
from sottovoce.assistant.notices import SpeechBegan, SpeechEnded
from sottovoce.audio.recorder import Recorder
from tests.audio.fakes import FakeHost, make_device

RATE = 16_000
DECISION_S = 0.032


class Voice:
    """A player that may rest."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    host = FakeHost(make_device(0, "microphone", samplerate=RATE, channels=1, default=True))
    monkeypatch.setattr("sottovoce.audio.recorder.portaudio_host", lambda: host)
    return host


@pytest.fixture
def recorder(host: FakeHost) -> Iterator[Recorder]:
    with Recorder(RATE, block_s=2 * DECISION_S, host=host) as recorder:
        yield recorder


@pytest.fixture
def hear(host: FakeHost) -> Callable[[int], None]:
    def hear(frames: int) -> None:
        host.streams[-1].call(frames, np.zeros((frames, 1), np.float32))

    return hear


def test_attentive_ear_gives_each_block_as_it_comes(recorder: Recorder, hear: Callable[[int], None]) -> None:
    microphone = MicrophoneInput(recorder, DECISION_S)
    for frames in (1024, 1024, 300, 300):
        hear(frames)
        if frames != 300:
            block = microphone.read()
            assert block is not None
            assert len(block) == frames
    block = microphone.read()
    assert block is not None
    assert len(block) == 600, "what is shorter than a decision of the detector waits for more"


def test_leisurely_ear_gives_all_that_has_come(recorder: Recorder, hear: Callable[[int], None]) -> None:
    microphone = MicrophoneInput(recorder, DECISION_S)
    microphone.attentive = False
    for _ in range(4):
        hear(1025)
    block = microphone.read()
    assert block is not None
    assert len(block) == 4 * 1025


def test_whoever_begins_to_speak_is_attended_to_and_wakes_the_voice(recorder: Recorder) -> None:
    microphone, voice = MicrophoneInput(recorder, DECISION_S), Voice()
    attention = Attention(microphone, voice)  # type: ignore[arg-type]
    assert not microphone.attentive
    attention(SpeechBegan(1.0))
    assert (microphone.attentive, voice.woken) == (True, 1)
    attention(SpeechEnded(2.0))
    assert (microphone.attentive, voice.woken) == (False, 1)


@pytest.mark.parametrize(
    ("settings", "frames"),
    [
        ({}, 3072),
        ({"blocksize": 300}, 300),
        ({"reflex": "duck"}, 256),
    ],
)
def test_microphone_has_blocks_as_long_as_two_decisions_unless_somebody_waits_for_less(
    host: FakeHost, settings: dict[str, object], frames: int
) -> None:
    host.listed = (make_device(0, "microphone", samplerate=48_000, channels=1, default=True),)
    config = Config.model_validate({"audio": settings, "vad": {"backend": "silero"}})
    with open_recorder(config) as recorder:
        assert host.streams[0].request.blocksize == frames
        assert recorder.stream_report().blocksize == frames
    with open_recorder(config, prompt=True):
        assert host.streams[1].request.blocksize == settings.get("blocksize", 256)


def test_block_of_an_odd_rate_is_never_shorter_than_its_decisions(host: FakeHost) -> None:
    host.listed = (make_device(0, "microphone", samplerate=44_100, channels=1, default=True),)
    config = Config.model_validate({"vad": {"backend": "silero"}})
    with open_recorder(config) as recorder:
        assert host.streams[0].request.blocksize == 2823
        listen_to(config, recorder).close()


def test_muted_input_gives_silence_in_the_place_of_what_is_heard() -> None:
    from sottovoce.app.inputs import MutedInput
    from sottovoce.assistant.controls import Mute
    from tests.support.fakes import ScriptedInput

    source, mute = ScriptedInput(), Mute()
    ear = MutedInput(source, mute)
    for word in (1, 2, 3):
        source.say(word)
    assert ear.read()[0] == 1  # type: ignore[index]
    mute.on = True
    silent = ear.read()
    assert silent is not None
    assert (len(silent), silent.any()) == (2000, False)
    mute.on = False
    assert ear.read()[0] == 3  # type: ignore[index]
    ear.close()
    assert ear.read() is None
    assert (ear.samplerate, ear.realtime) == (source.samplerate, source.realtime)
