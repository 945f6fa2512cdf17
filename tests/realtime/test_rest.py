"""An output that rests on a real sound server: given back in silence, and back before anybody misses it."""

from __future__ import annotations

import numpy as np
import pytest

from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.output import SleepPolicy
from sottovoce.audio.player import Player
from tests.realtime.test_device_loss import LATENCY_S, RATE, Heard, best_of, numbered, seconds_until, state_of
from tests.support.soundcard import SoundCard, wait_until

pytestmark = [pytest.mark.device, pytest.mark.usefixtures("way")]

ROUNDS = 3


def test_output_that_rests_frees_the_device_and_plays_every_frame_of_what_wakes_it(sound_card: SoundCard) -> None:
    before, recording, rounds = sound_card.sink_inputs(), sound_card.record(), []
    x = numbered(ROUNDS * RATE // 2)
    with Player(RATE, 2, device="vs48", latency=LATENCY_S, sleep=SleepPolicy(rests_after_s=0.2)) as player:
        for part in np.split(x, ROUNDS):
            wait_until(lambda: state_of(player) is StreamState.RESTING, 10.0, "the rest")
            wait_until(lambda: sound_card.sink_inputs() == before, 10.0, "the device being given back")
            player.wake()
            rounds.append(seconds_until(lambda: state_of(player) is StreamState.RUNNING, "the device"))
            player.write(part)
            assert player.drain(10.0)
        assert player.snapshot_state().stream.recreates == 0
    best_of(rounds, "an output that is opened after a rest")
    heard = Heard(recording.stop())
    assert heard.lost_frames == []
    assert len(heard.numbers) == len(x)
