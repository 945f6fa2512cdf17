"""What a user may get wrong, or drive to its limits: an error that says why, and no stream dies."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.player import Player
from sottovoce.audio.recorder import Recorder
from sottovoce.core.errors import ConfigError, DeviceNotFoundError, StreamClosedError
from tests.realtime.signals import excerpt, noise
from tests.support.soundcard import SoundCard

pytestmark = pytest.mark.device

LATENCY_S = 0.1


@pytest.mark.parametrize("blocksize", [1, 16384])
def test_shortest_and_longest_blocks_play_every_frame(sound_card: SoundCard, way: str, blocksize: int) -> None:
    x = noise(48000)
    recording = sound_card.record()
    latency = max(LATENCY_S, 2 * blocksize / 48000)
    with Player(48000, 1, device="vs48", latency=latency, blocksize=blocksize) as player:
        player.write(x)
        assert player.drain(30.0)
        stream = player.snapshot_state().stream
    assert stream.blocksize == blocksize
    assert stream.counters["shape_mismatches"] == 0
    assert np.array_equal(excerpt(recording.stop()[:, 0], x), x)


@pytest.mark.parametrize("blocksize", [1, 16384])
def test_shortest_and_longest_blocks_capture(sound_card: SoundCard, blocksize: int) -> None:
    latency = max(LATENCY_S, 2 * blocksize / 48000)
    with Recorder(48000, latency=latency, blocksize=blocksize, prefer_stream_rate="content") as recorder:
        assert recorder.read(48000, 20.0).shape == (48000, 1)
        assert recorder.snapshot_state().stream.counters["shape_mismatches"] == 0


@pytest.mark.parametrize(
    ("argument", "value", "allowed"),
    [
        ("blocksize", 0, "1 to 16384"),
        ("blocksize", 16385, "1 to 16384"),
        ("latency", -0.1, "seconds"),
        ("latency", float("nan"), "seconds"),
        ("channels", 0, "1 to 64"),
        ("channels", 65, "1 to 64"),
        ("samplerate", 0, "1000 to 768000"),
        ("prefer_stream_rate", "best", "'content', 'device'"),
    ],
)
@pytest.mark.parametrize("kind", [Player, Recorder])
def test_argument_out_of_range_names_the_value_and_what_is_allowed(
    kind: type[Player | Recorder], argument: str, value: object, allowed: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        kind(**{argument: value})  # type: ignore[arg-type]
    assert repr(value) in refused.value.message
    assert allowed in refused.value.message


@pytest.mark.parametrize("device", [999, -1, "no such device"])
def test_device_that_does_not_exist_is_named_and_the_others_listed(sound_card: SoundCard, device: int | str) -> None:
    for thing in (Player(48000, 1, device=device), Recorder(48000, device=device)):
        with pytest.raises(DeviceNotFoundError) as refused:
            thing.start()
        assert repr(device) in refused.value.message
        assert "default" in refused.value.message
        thing.close()


def test_rate_that_the_device_refuses_is_resampled(sound_card: SoundCard) -> None:
    with Player(1000, 1, device="vs48", latency=LATENCY_S) as player:
        player.write(np.zeros(200, np.float32))
        assert player.drain(10.0)
        assert player.snapshot_state().stream.samplerate >= 1000


def test_writes_of_sixteen_threads_all_arrive(sound_card: SoundCard) -> None:
    pieces = [np.full(480, number + 1, np.float32) / 32 for number in range(16)]
    recording = sound_card.record()
    with Player(48000, 1, device="vs48", latency=LATENCY_S) as player:
        threads = [
            threading.Thread(target=lambda x=x: [player.write(x) for _ in range(10)], name=f"writer-{number}")  # type: ignore[misc]
            for number, x in enumerate(pieces)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert player.drain(30.0)
    y = recording.stop()[:, 0]
    for x in pieces:
        assert np.count_nonzero(y == x[0]) == 4800


def test_writes_after_a_flush_and_after_the_close(sound_card: SoundCard) -> None:
    x = noise(4800)
    player = Player(48000, 1, device="vs48", latency=LATENCY_S)
    with player, player.open_source() as source:
        stale = source.generation
        source.flush(timeout_s=5.0)
        assert source.write(x, stale) == 0, "of a generation that was flushed"
        assert source.write(x) == 4800
        source.end()
        assert source.drain(10.0)
        assert player.snapshot_state().stream.state is StreamState.RUNNING
    for write in (player.write, source.write):
        with pytest.raises(StreamClosedError):
            write(x)
    player.close()
