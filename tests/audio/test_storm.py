"""A thousand recreates while eight threads flush, play and close: on a host that does nothing but open and close."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sottovoce.audio import output as output_module
from sottovoce.audio.lifecycle import LifecyclePolicy, StreamState
from sottovoce.audio.output import DeviceOutput
from sottovoce.audio.player import Player
from sottovoce.native.callback import PlaybackCallback
from tests.audio.fakes import FakeHost, FakeStream, wait_for
from tests.support.storm import MEMORY_LIMIT_MB, Storm, memory_over, threads_of_ours

STORMY = LifecyclePolicy(max_recreate_per_minute=100_000)

memory_is_told = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc: run it on Linux")


class ForgettingHost(FakeHost):
    """Forgets the streams that are closed, as a real one does."""

    def open(self, request: object) -> FakeStream:
        stream = super().open(request)  # type: ignore[arg-type]
        self.streams = [known for known in self.streams if "close" not in known.calls]
        return stream  # type: ignore[return-value]


def stormy_player() -> tuple[Player, DeviceOutput, ForgettingHost]:
    host = ForgettingHost()
    output = DeviceOutput(host=host, policy=STORMY)
    return Player(48000, 1, output=output), output, host


@pytest.mark.timeout(300)
def test_storm_ends_with_one_stream_that_plays(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR")  # a thousand recreates are a thousand messages
    player, output, host = stormy_player()
    with player:
        grown_mb = memory_over(Storm(player, output, 1000), 240.0)
        wait_for(lambda: output.report().state is StreamState.RUNNING)
        wait_for(lambda: sum("close" not in stream.calls for stream in host.streams) == 1)
        report = output.report()
        assert not report.recreating
        assert report.recreates >= 1000
        assert report.counters["overlaps"] == 0
        source = player.open_source()
        x = np.linspace(0.1, 0.2, 2048, dtype=np.float32)
        source.write(x)
        (live,) = [stream for stream in host.streams if "close" not in stream.calls]
        y = np.concatenate([live.call(256) for _ in range(16)])[:, 0]
        heard = np.flatnonzero(y > 0.09)
        assert len(heard) >= 2048 - 256, "all but the rise of a new stream"
        source.close()
    assert threads_of_ours() == []
    assert not host.abandoned
    assert grown_mb is None or grown_mb < MEMORY_LIMIT_MB


@memory_is_told
@pytest.mark.timeout(300)
def test_leak_of_the_callbacks_is_caught(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR")
    kept: list[PlaybackCallback] = []

    def leaking(*arguments: object) -> PlaybackCallback:
        kept.append(PlaybackCallback(*arguments))  # type: ignore[arg-type]
        return kept[-1]

    monkeypatch.setattr(output_module, "PlaybackCallback", leaking)
    player, output, _ = stormy_player()
    with player:
        grown_mb = memory_over(Storm(player, output, 500), 120.0)
    assert grown_mb is not None
    assert grown_mb > MEMORY_LIMIT_MB
