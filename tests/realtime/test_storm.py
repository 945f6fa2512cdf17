"""The storm of ``tests/audio/test_storm.py`` on the virtual sound card, where opening and closing is what it is."""

from __future__ import annotations

import numpy as np
import pytest

from sottovoce.audio.lifecycle import LifecyclePolicy, StreamState
from sottovoce.audio.output import DeviceOutput
from sottovoce.audio.player import Player
from tests.realtime.signals import excerpt, noise
from tests.support.soundcard import SoundCard, wait_until
from tests.support.storm import MEMORY_LIMIT_MB, Storm, memory_over, threads_of_ours

STORMY = LifecyclePolicy(max_recreate_per_minute=100_000)


@pytest.mark.device
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_storm_on_a_sound_card_ends_with_one_stream_that_plays(
    sound_card: SoundCard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("ERROR", "sottovoce.audio")  # a thousand recreates are a thousand messages
    output = DeviceOutput("vs48", policy=STORMY, latency=0.1)
    with Player(48000, 1, output=output) as player:
        grown_mb = memory_over(Storm(player, output, 1000, pace_s=0.02), 800.0)
        wait_until(lambda: output.report().state is StreamState.RUNNING, 10.0, "the last stream")
        wait_until(lambda: sound_card.sink_inputs() == 1, 10.0, "all others being closed")
        report = output.report()
        assert not report.recreating
        assert report.recreates >= 1000
        recording = sound_card.record()
        x = noise(48000)
        player.write(x)
        assert player.drain(10.0)
    assert threads_of_ours() == []
    assert np.array_equal(excerpt(recording.stop()[:, 0], x), x)
    assert grown_mb is not None
    assert grown_mb < MEMORY_LIMIT_MB
