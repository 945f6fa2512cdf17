"""Two ears read together: recorders on fake devices, and our own voice kept out of what is heard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from sottovoce.app.inputs import AmplifiedInput
from sottovoce.app.live import Attention
from sottovoce.app.settings import Config
from sottovoce.app.two_ears import OwnVoiceGate, PairedEars
from sottovoce.app.wiring import listen_to_both, open_player, verifier_of_microphone
from sottovoce.assistant.notices import SpeechBegan, SpeechEnded
from sottovoce.audio.player import Player
from sottovoce.audio.recorder import Recorder
from sottovoce.core.errors import ConfigError, StreamError
from sottovoce.core.paired import PairedBlock
from sottovoce.speech.speaker import AlwaysWearer, NotEnrolled
from tests.audio.fakes import FakeHost, make_device

RATE, BLOCK = 16_000, 512
HOLD = round(0.6 * RATE)
#: Blocks that have come before the first is read: what a resampler holds back comes with the next ones.
AHEAD = 2

Float = npt.NDArray[np.float32]


def block(own: Float, at: int = 0) -> PairedBlock:
    frames = len(own)
    return PairedBlock(at, np.full(frames, 0.1, np.float32), np.full(frames, 0.2, np.float32), own)


def gated(own: Float, size: int) -> Float:
    gate = OwnVoiceGate(RATE)
    return np.concatenate([gate.process(block(own[at : at + size])).loopback for at in range(0, len(own), size)])


@pytest.mark.parametrize("size", [160, 512, 5000])
def test_loopback_is_silent_from_our_first_sound_until_the_last_has_passed(size: int) -> None:
    own = np.zeros(40_000, np.float32)
    own[1000:6000] = 0.1
    own[9000:9100] = 0.1
    heard = gated(own, size)
    np.testing.assert_array_equal(heard[:1000], np.float32(0.2))
    assert not heard[1000 : 9100 + HOLD].any()
    np.testing.assert_array_equal(heard[9100 + HOLD :], np.float32(0.2))


def test_loopback_is_left_alone_while_we_are_silent() -> None:
    silent = block(np.full(BLOCK, 1e-7, np.float32))
    assert OwnVoiceGate(RATE).process(silent) is silent


@dataclass
class Devices:
    """A microphone, a loopback and an output, each called by hand."""

    inputs: FakeHost
    played: FakeHost

    def hear(self, microphone: Float, loopback: Float) -> None:
        """Each hears a block."""
        for host, sound in ((self.played, loopback), (self.inputs, microphone)):
            host.streams[-1].call(len(sound), np.ascontiguousarray(sound[:, None], np.float32))


@pytest.fixture
def devices() -> Devices:
    return Devices(
        FakeHost(make_device(0, "microphone", samplerate=RATE, channels=1, default=True)),
        FakeHost(make_device(0, "played", samplerate=RATE, channels=1, default=True)),
    )


@pytest.fixture
def ears(devices: Devices) -> Iterator[PairedEars]:
    with ExitStack() as stack:
        microphone = stack.enter_context(Recorder(RATE, host=devices.inputs))
        loopback = stack.enter_context(Recorder(RATE, host=devices.played))
        yield PairedEars(microphone, loopback, None, BLOCK / RATE)


def test_both_ears_give_blocks_of_the_same_length(devices: Devices, ears: PairedEars) -> None:
    ramp = np.linspace(-0.5, 0.5, BLOCK, dtype=np.float32)
    lengths = []
    for _ in range(AHEAD):
        devices.hear(ramp, 0.5 * ramp)
    for _ in range(12):
        devices.hear(ramp, 0.5 * ramp)
        heard = ears.read()
        assert heard is not None
        beside = ears.beside.read()
        assert beside is not None
        lengths.append((len(heard), len(beside)))
    assert all(first == second and first % BLOCK == 0 for first, second in lengths)
    assert ears.beside.read() is not None, "a read without a block of the first ear gives nothing, and does not wait"


def test_microphone_is_heard_when_nothing_is_played(devices: Devices, ears: PairedEars) -> None:
    for _ in range(10):
        devices.inputs.streams[-1].call(BLOCK, np.full((BLOCK, 1), 0.25, np.float32))
    heard = ears.read()
    assert heard is not None
    np.testing.assert_array_equal(heard, np.float32(0.25))
    beside = ears.beside.read()
    assert beside is not None
    assert len(beside) == len(heard)
    assert not beside.any()


def test_what_is_played_is_heard_when_the_microphone_is_gone(devices: Devices, ears: PairedEars) -> None:
    for _ in range(10):
        devices.played.streams[-1].call(BLOCK, np.full((BLOCK, 1), 0.25, np.float32))
    heard, beside = ears.read(), ears.beside.read()
    assert heard is not None
    assert beside is not None
    assert len(beside) == len(heard) > 0
    assert not heard.any()
    assert beside.any()


def test_closing_ends_both(devices: Devices, ears: PairedEars) -> None:
    ears.close()
    assert ears.read() is None
    assert devices.inputs.streams[-1].calls[-1] == devices.played.streams[-1].calls[-1] == "close"


def test_our_own_voice_is_read_from_the_tap(devices: Devices, monkeypatch: pytest.MonkeyPatch) -> None:
    output = FakeHost(make_device(0, "output", samplerate=48_000, default=True))
    monkeypatch.setattr("sottovoce.audio.output.portaudio_host", lambda: output)
    config = Config.model_validate({"audio": {"loopback": "auto"}, "vad": {"backend": "silero"}})
    with ExitStack() as stack:
        player = stack.enter_context(open_player(config))
        microphone = stack.enter_context(Recorder(RATE, host=devices.inputs))
        loopback = stack.enter_context(Recorder(RATE, host=devices.played))
        source = stack.enter_context(player.open_source(48_000))
        source.write(np.full(48_000, 0.3, np.float32))
        source.end()
        ears = listen_to_both(config, microphone, loopback, player)
        heard = []
        for number in range(20 + AHEAD):
            for _ in range(6):
                output.streams[-1].call(256)
            devices.hear(np.full(BLOCK, 0.1, np.float32), np.full(BLOCK, 0.2, np.float32))
            if number < AHEAD:
                continue
            assert ears.read() is not None
            beside = ears.beside.read()
            assert beside is not None
            heard.append(beside)
        assert not np.concatenate(heard)[-4 * BLOCK :].any(), "what we say is not heard as another's"
        ears.release()


def test_tap_is_opened_only_where_it_is_held() -> None:
    output = FakeHost(make_device(0, "output", default=True))
    from sottovoce.audio.output import DeviceOutput

    with Player(output=DeviceOutput(host=output)) as player, pytest.raises(StreamError, match="holds nothing"):
        player.open_tap()
    with pytest.raises(ConfigError, match="tap_s is -1"):
        Player(tap_s=-1.0)


def test_ears_are_attended_to_as_long_as_either_hears_somebody(ears: PairedEars) -> None:
    class Voice:
        def wake(self) -> None: ...

    attention = Attention(ears, Voice())  # type: ignore[arg-type]
    attention(SpeechBegan(1.0, "loopback"))
    attention(SpeechBegan(1.5, "microphone"))
    attention(SpeechEnded(2.0, "loopback"))
    assert ears.attentive
    attention(SpeechEnded(2.5, "microphone"))
    assert not ears.attentive


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, NotEnrolled),
        ({"audio": {"loopback": "auto"}}, AlwaysWearer),
        ({"audio": {"loopback": "auto"}, "speaker": {"microphone": "anybody"}}, NotEnrolled),
    ],
)
def test_microphone_is_the_wearers_where_others_come_from_the_machine(settings: dict[str, object], kind: type) -> None:
    verifier = verifier_of_microphone(Config.model_validate(settings), None)
    assert isinstance(verifier, kind)
    enrolled = NotEnrolled()
    assert verifier_of_microphone(Config.model_validate(settings), enrolled) is enrolled


def test_quiet_voice_that_is_played_is_amplified(ears: PairedEars) -> None:
    rng = np.random.default_rng(1)

    class Quiet:
        samplerate, realtime = RATE, True

        def read(self) -> Float:
            return (0.003 * rng.standard_normal(BLOCK)).astype(np.float32)

        def close(self) -> None: ...

    amplified = AmplifiedInput(Quiet(), 24.0)
    for _ in range(200):
        last = amplified.read()
    assert last is not None
    assert float(np.sqrt(np.mean(last**2))) > 0.006
    nothing = AmplifiedInput(ears.beside, 24.0).read()
    assert nothing is not None
    assert len(nothing) == 0
