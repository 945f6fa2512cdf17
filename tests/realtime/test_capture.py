"""Captured through PortAudio from the monitor of the virtual sound card, on which something plays."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from sottovoce.audio.player import Player
from sottovoce.audio.recorder import Recorder
from tests.realtime.signals import error_db, excerpt, find, noise, speech_like
from tests.support.soundcard import SoundCard

pytestmark = pytest.mark.device

#: A test machine is shared, and stands still for longer than the few ms that a device of its own would ask for.
LATENCY_S = 0.1


def capture(recorder: Recorder, seconds: float, frames: int = 480) -> np.ndarray:
    blocks = [recorder.read(frames, 10.0) for _ in range(round(seconds * recorder.samplerate / frames))]
    return np.concatenate(blocks)[:, 0]


def test_every_frame_played_is_captured(sound_card: SoundCard) -> None:
    x = noise(2 * 48000)
    with (
        Recorder(48000, latency=LATENCY_S, prefer_stream_rate="content") as recorder,
        Player(48000, 2, device="vs48", latency=LATENCY_S) as player,
    ):
        player.write(x)
        y = capture(recorder, 2.5)
        state = recorder.snapshot_state()
    assert np.array_equal(excerpt(y, x), x)
    assert state.overruns == 0
    assert state.stream.state.value == "running"


def test_speech_is_captured_at_the_rate_of_recognition(sound_card: SoundCard) -> None:
    x = speech_like(2.0, 16000)
    with Recorder(16000, latency=LATENCY_S) as recorder, sound_card.playing(x, 16000):
        y = capture(recorder, 3.0, 320)
    start = find(y, x)
    assert len(y) - start > len(x) * 0.9
    part = y[start : start + len(x)]
    assert np.corrcoef(part, x[: len(part)])[0, 1] > 0.98


def test_resampling_of_what_is_captured_is_ours(sound_card: SoundCard) -> None:
    x = speech_like(2.0, 48000)
    with Recorder(16000, latency=LATENCY_S) as recorder, Player(48000, 1, device="vs48", latency=LATENCY_S) as player:
        player.write(x)
        y = capture(recorder, 2.5, 320)
    expected = soxr.resample(x, 48000, 16000)
    assert error_db(excerpt(y, expected), expected) < -15.0


def test_backlog_grows_while_nobody_reads_and_nothing_is_lost(sound_card: SoundCard) -> None:
    x = noise(48000)
    with (
        Recorder(48000, latency=LATENCY_S, prefer_stream_rate="content", buffer_s=20.0) as recorder,
        Player(48000, 1, device="vs48", latency=LATENCY_S) as player,
    ):
        player.write(x)
        assert player.drain(10.0)
        assert recorder.backlog_s > 1.0
        y = capture(recorder, recorder.backlog_s + 0.5)
        assert recorder.overruns == 0
    assert np.array_equal(excerpt(y, x), x)
