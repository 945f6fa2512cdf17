"""On a sound card in software: latency that finds its own value, and devices that sleep or come late."""

from __future__ import annotations

import numpy as np
import pytest

from sottovoce.audio.lifecycle import LifecyclePolicy, StreamState
from sottovoce.audio.output import SleepPolicy
from sottovoce.audio.player import Player
from sottovoce.audio.report import StreamReport
from sottovoce.audio.tuner import LatencyTuner, TunerPolicy
from tests.realtime.signals import excerpt, noise
from tests.support.soundcard import SoundCard, wait_until

pytestmark = pytest.mark.device

QUICK = LifecyclePolicy(device_query_cooldown_s=0.1)

#: As the real one, but nobody has to wait for minutes until it comes back.
HASTY = TunerPolicy(settle_s=0.3, short_idle_s=0.2, idle_s=0.5, calm_s=1.0, bar_s=2.0)


def stream_of(player: Player) -> StreamReport:
    return player.snapshot_state().stream


def test_card_that_stands_still_makes_the_latency_grow_and_idle_brings_it_back(
    sound_card: SoundCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sottovoce.audio.tuning.LatencyTuner", lambda: LatencyTuner(HASTY))
    with Player(48000, 1, device="vs48", latency="auto", policy=QUICK) as player:
        floor_s = stream_of(player).latency.asked_s
        assert stream_of(player).latency.tuned

        def stall_until_it_grew() -> bool:
            """Shorter than the watchdog's patience, longer than the least buffer: blocks are late, nothing is lost."""
            blocks = stream_of(player).counters["blocks"]
            wait_until(lambda: stream_of(player).counters["blocks"] > blocks + 20, 10.0, "blocks")
            sound_card.freeze_for(0.06)
            return stream_of(player).latency.grown > 0

        wait_until(stall_until_it_grew, 60.0, "the latency growing")
        grown = stream_of(player)
        assert grown.counters["late_blocks"] > 0
        assert grown.latency.asked_s > floor_s
        wait_until(lambda: stream_of(player).latency.asked_s < grown.latency.asked_s, 120.0, "the latency coming back")
        player.write(noise(24000))
        assert player.drain(20.0)
        assert player.snapshot_state().sources[0].played_s == 0.5, "nothing lost, nothing twice"


def test_sink_that_sleeps_swallows_nothing_of_what_comes_first(sound_card: SoundCard) -> None:
    """Suspended while idle, then woken: the first 200 ms are in the recording, bit for bit, after the lead-in."""
    x = noise(48000)
    sleep = SleepPolicy(lead_in_s=0.3, sleeps_after_s=0.5, keep_warm=False)
    with Player(48000, 1, device="vs48", latency=0.1, policy=QUICK, sleep=sleep) as player:
        wait_until(lambda: stream_of(player).counters.get("blocks", 0) > 100, 10.0, "blocks")
        recording = sound_card.record()
        sound_card.stall("vs48", True)
        wait_until(lambda: stream_of(player).state is not StreamState.RUNNING, 10.0, "the loss being noticed")
        assert player.write(x) == len(x), "queued while nobody plays"
        sound_card.stall("vs48", False)
        assert player.drain(30.0)
    y = recording.stop()[:, 0]
    assert np.array_equal(excerpt(y, x[:9600]), x[:9600])


def test_silence_before_the_sound_is_the_lead_in(sound_card: SoundCard) -> None:
    x = 0.1 + 0.1 * noise(24000)
    with Player(48000, 1, device="vs48", latency=0.1, sleep=SleepPolicy(lead_in_s=0.3, keep_warm=True)) as player:
        recording = sound_card.record()
        player.write(x)
        assert player.drain(20.0)
        source = player.snapshot_state().sources[0]
        assert source.played_s == 0.5
    y = recording.stop()[:, 0]
    assert np.array_equal(excerpt(y, x), x)
    lead_in = y[: int(np.argmax(np.abs(y) > 0.01))]
    assert np.count_nonzero(lead_in) > 0.25 * 48000
    assert np.abs(lead_in).max() <= 6.2e-5
