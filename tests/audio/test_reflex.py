"""A Player that yields to a Recorder; what the callbacks do is in tests/native/test_reflex.py."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sottovoce.audio.output import DeviceOutput
from sottovoce.audio.player import Player
from sottovoce.audio.recorder import Recorder
from sottovoce.audio.reflex import Reflex
from sottovoce.core.errors import ConfigError, StreamError
from sottovoce.native.callback import CaptureCallback
from sottovoce.native.ring import Ring
from tests.audio.fakes import FakeHost
from tests.native.portaudio import capture
from tests.native.test_activity import vowel

RATE = 48_000
LONG_S = 60.0


@pytest.fixture
def player() -> Iterator[Player]:
    with Player(RATE, 1, output=DeviceOutput(host=FakeHost())) as player:
        yield player


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder(RATE, host=FakeHost()) as recorder:
        yield recorder


def speak(recorder: Recorder) -> None:
    """A word at the recorder's microphone; the fake host never calls."""
    capture(CaptureCallback(Ring(128, 1), RATE, 1, RATE, 1, activity=recorder.activity), vowel(RATE // 10))


def heard(player: Player, frames: int = 8000) -> float:
    """How loud the last frame is of what the mixer gives next."""
    out = np.empty((frames, 1), np.float32)
    player.mixer.render_into(out)
    return float(out[-1, 0])


def test_player_ducks_while_somebody_speaks(player: Player, recorder: Recorder) -> None:
    player.yield_to(recorder, Reflex("duck", hold_s=LONG_S, duck_gain_db=-20.0))
    player.write(np.ones(RATE, np.float32))
    assert heard(player) == 1.0
    speak(recorder)
    assert heard(player) == pytest.approx(0.1)
    assert player.snapshot_state().counters["yields"] == 1
    assert player.snapshot_state().counters["yielded_blocks"] == 1
    assert recorder.snapshot_state().activity == {"activations": 1, "active_blocks": 1}


def test_player_pauses_while_somebody_speaks(player: Player, recorder: Recorder) -> None:
    player.yield_to(recorder, Reflex("pause", hold_s=LONG_S))
    player.write(np.ones(RATE, np.float32))
    speak(recorder)
    assert heard(player) == 0.0
    assert not player.snapshot_state().sources[0].paused
    recorder.activity.configure(hold_s=0.0)
    speak(recorder)
    assert heard(player) == 1.0


def test_source_may_refuse_to_yield(player: Player, recorder: Recorder) -> None:
    player.yield_to(recorder, Reflex(hold_s=LONG_S))
    player.open_source(yields=False).write(np.ones(RATE, np.float32))
    speak(recorder)
    assert heard(player) == 1.0


def test_either_may_be_closed_first(player: Player, recorder: Recorder) -> None:
    player.yield_to(recorder, Reflex(hold_s=LONG_S))
    recorder.close()
    speak(recorder)
    player.write(np.ones(RATE, np.float32))
    assert heard(player) < 0.2
    assert recorder.activity.wanted
    player.close()
    assert not recorder.activity.wanted
    speak(recorder)


@pytest.mark.parametrize("off", [None, Reflex("off")])
def test_player_yields_no_more(player: Player, recorder: Recorder, off: Reflex | None) -> None:
    player.yield_to(recorder)
    assert recorder.activity.wanted
    player.yield_to(None if off is None else recorder, off)
    assert not recorder.activity.wanted


def test_source_ducks_by_command(player: Player) -> None:
    source = player.open_source()
    source.write(np.ones(RATE, np.float32))
    source.duck(0.5)
    assert heard(player) == 0.5
    source.duck(1.0)
    assert heard(player) == 1.0


def test_player_that_does_not_run_yields_to_nobody(recorder: Recorder) -> None:
    with pytest.raises(StreamError, match="was not started"):
        Player().yield_to(recorder)


def test_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="mode is 'mute'; allowed: 'off', 'duck', 'pause'"):
        Reflex("mute")  # type: ignore[arg-type]
