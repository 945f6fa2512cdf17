"""The second ear on a sound card in software: what an output plays, beside what a microphone hears."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from sottovoce.app.demo import speak_question
from sottovoce.app.two_ears import PairedEars
from sottovoce.audio.lifecycle import LifecyclePolicy
from sottovoce.audio.loopback import find_loopback, offered
from sottovoce.audio.monitors import MonitorHost
from sottovoce.audio.recorder import Recorder
from sottovoce.core.errors import DeviceError
from tests.realtime.test_live import live
from tests.support.soundcard import SoundCard, wait_until

pytestmark = [pytest.mark.device, pytest.mark.timeout(120)]

RATE, BLOCK_S = 16_000, 0.032

#: How far apart two ears may be found that hear the same output in two ways (s): the length of a block of either.
APART_LIMIT_S = 0.032
#: How far that may change from second to second (s), but for one in which the card in software had no processor.
STEADY_LIMIT_S = 0.004

Float = npt.NDArray[np.float32]


@contextmanager
def listening(device: str | None = None) -> Iterator[Recorder]:
    policy = LifecyclePolicy(stand_in=False)
    with Recorder(RATE, 1, device=device, block_s=BLOCK_S, policy=policy, host=MonitorHost()) as recorder:
        yield recorder


def noise(seconds: float, level: float = 0.2) -> Float:
    return (level * np.random.default_rng(5).standard_normal(round(seconds * RATE))).astype(np.float32)


def hears(recorder: Recorder, at_least: float, within_s: float = 10.0) -> bool:
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        heard = recorder.read(1600, 0.5)
        if len(heard) and float(np.abs(heard).max()) >= at_least:
            return True
    return False


def test_every_output_is_offered_that_of_the_system_first(sound_card: SoundCard) -> None:
    names = offered()
    assert names[0] == "vs48.monitor"
    assert "vs44.monitor" in names
    assert find_loopback("auto").name == "vs48.monitor"
    assert find_loopback("vs44").device == "vs44.monitor"


def test_what_is_played_is_heard_whatever_the_microphone_is(sound_card: SoundCard) -> None:
    sound_card.listen_to("vs44")
    with listening() as recorder, sound_card.playing(noise(5.0), RATE):
        assert recorder.snapshot_state().stream.device == "vs48.monitor"
        assert hears(recorder, 0.3)


def test_another_output_that_becomes_the_default_is_followed(sound_card: SoundCard) -> None:
    with listening() as recorder:
        sound_card.speak_to("vs44")
        wait_until(lambda: recorder.snapshot_state().stream.device == "vs44.monitor", 10.0, "the other output")
        with sound_card.playing(noise(5.0), RATE, "vs44"):
            assert hears(recorder, 0.3)


def test_output_that_goes_is_never_replaced_by_a_microphone(sound_card: SoundCard) -> None:
    """A sound server moves streams of an output that goes to whatever it likes, unless it is told not to."""
    sound_card._pactl("load-module", "module-rescue-streams")
    sound_card.listen_to("vs48")
    with listening("vs44.monitor") as recorder, sound_card.playing(noise(20.0), RATE, "vs48"):
        sound_card.kill("vs44")
        wait_until(lambda: not recorder.snapshot_state().stream.samplerate, 10.0, "the loss of the output")
        recorder.read(0, 0.0, more=True)
        assert not hears(recorder, 0.05, within_s=1.0), "what vs48 plays is the microphone of this machine"
        sound_card.add("vs44", 44100)
        with sound_card.playing(noise(10.0), RATE, "vs44"):
            assert hears(recorder, 0.3, within_s=20.0)


def test_machine_without_a_sound_server_is_told_so(sound_card: SoundCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", f"unix:{sound_card.folder}/nothing")
    with pytest.raises(DeviceError, match=r"the sound server .* does not answer") as caught:
        MonitorHost().devices()
    assert "pipewire-pulse" in caught.value.hint


def lag_s(first: Float, second: Float) -> float:
    size = 2 * len(first)
    likeness = np.fft.irfft(np.fft.rfft(second, size) * np.conj(np.fft.rfft(first, size)), size)
    at = int(np.argmax(likeness))
    return (at if at < size // 2 else at - size) / RATE


def test_same_sound_reaches_both_ears_at_a_known_offset(sound_card: SoundCard) -> None:
    """The microphone is the monitor of the same output, reached by PortAudio: what is played is one sound for both."""
    with ExitStack() as stack:
        microphone = stack.enter_context(Recorder(RATE, 2, block_s=BLOCK_S))
        loopback = stack.enter_context(listening())
        ears = PairedEars(microphone, loopback, None, BLOCK_S)
        stack.enter_context(sound_card.playing(noise(12.0), RATE))
        heard: list[Float] = []
        played: list[Float] = []
        while sum(map(len, heard)) < 7 * RATE:
            block, beside = ears.read(), ears.beside.read()
            assert block is not None
            assert beside is not None
            heard.append(block)
            played.append(beside)
        first, second = np.concatenate(heard), np.concatenate(played)
        lags = [lag_s(first[at : at + RATE], second[at : at + RATE]) for at in range(2 * RATE, 7 * RATE, RATE)]
    assert np.abs(second[2 * RATE :]).max() > 0.3
    assert max(map(abs, lags)) < APART_LIMIT_S, lags
    steady = sorted(lags, key=lambda lag: abs(lag - np.median(lags)))[:-1]
    assert max(steady) - min(steady) < STEADY_LIMIT_S, lags


def test_question_that_is_played_is_answered_once_and_the_answer_is_not_heard(
    sound_card: SoundCard, tmp_path: Path
) -> None:
    """A call: the other side, and our own theses, on one output; the microphone hears nothing of either."""
    sound_card.listen_to("vs44")
    asked = np.concatenate([speak_question("How much does it cost?"), np.zeros(RATE, np.float32)])
    store = tmp_path / "sessions.db"
    room = sound_card.playing(noise(60.0, 0.0005), RATE, "vs44")
    gated = ("--set", "audio.echo_cancellation=off")  # by the gate alone: test_echo.py has the canceller
    arguments = ("--output", "vs48", "--loopback", "auto", "--set", f"session.path={store}", *gated)
    with room, live(*arguments) as session:
        ready = session.wait_for("Ready.")
        assert "vs48.monitor" in ready
        with sound_card.playing(asked, RATE, "vs48"):
            session.wait_for("played: How much does it cost?")
        session.wait_for("to the first sound")
        # the theses were printed when they had been spoken: long enough for them to have been heard as a question
        threading.Event().wait(2.0)
        code, _, errors = session.interrupt()
    assert (code, errors) == (0, "")
    show = [sys.executable, "-m", "sottovoce", "sessions", "export", "1", "--format", "json"]
    done = subprocess.run([*show, "--set", f"session.path={store}"], capture_output=True, text=True, check=True)
    kept = json.loads(done.stdout)
    assert [(said["ear"], said["speaker"], said["text"]) for said in kept["utterances"]] == [
        ("loopback", "other", "How much does it cost?")
    ]
    assert [turn["outcome"] for turn in kept["turns"]] == ["spoken"]
    assert all(thesis["heard_s"] > 0.0 for thesis in kept["turns"][0]["theses"])
