"""The Recorder: the compiled callback, called by a host whose every event the test decides."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from sottovoce.audio.lifecycle import LifecyclePolicy, StreamState
from sottovoce.audio.recorder import Recorder
from sottovoce.core.errors import ConfigError, DeviceNotFoundError, StreamError
from tests.audio.fakes import FakeHost, make_device, wait_for

RATE = 8000  # so that sixteen thousand frames are a long block, and no watchdog takes a slow machine for a loss


def make(host: FakeHost, samplerate: int = RATE, **options: object) -> Recorder:
    policy = LifecyclePolicy(device_query_cooldown_s=0.05)
    return Recorder(samplerate, host=host, policy=policy, blocksize=16000, **options)  # type: ignore[arg-type]


def ramp(frames: int) -> np.ndarray:
    return (np.arange(1, frames + 1) / (2 * frames)).astype(np.float32)


def feed(host: FakeHost, mono: np.ndarray, blocksize: int = 480) -> None:
    stream = host.streams[-1]
    for start in range(0, len(mono), blocksize):
        block = np.repeat(mono[start : start + blocksize, None], stream.request.channels, axis=1)
        stream.call(len(block), np.ascontiguousarray(block))


@pytest.fixture
def host() -> FakeHost:
    return FakeHost(make_device(0, "first", samplerate=RATE, default=True))


def test_read_gives_what_was_captured(host: FakeHost) -> None:
    x = ramp(4800)
    with make(host) as recorder:
        feed(host, x)
        assert recorder.backlog_s == 0.6
        assert np.array_equal(recorder.read(1000, 10.0)[:, 0], x[:1000])
        assert np.array_equal(recorder.read(3800, 10.0)[:, 0], x[1000:])
        assert recorder.backlog_s == 0.0
        assert recorder.snapshot_state().captured_s == 0.6


def test_read_waits_for_what_is_missing(host: FakeHost) -> None:
    x = ramp(960)
    with make(host) as recorder:
        feeder = threading.Timer(0.02, feed, (host, x))
        feeder.start()
        assert np.array_equal(recorder.read(960, 10.0)[:, 0], x)
        feeder.join()


def test_read_is_short_after_its_time_and_once_closed(host: FakeHost) -> None:
    recorder = make(host)
    recorder.start()
    feed(host, ramp(480))
    assert recorder.read(960, timeout_s=0.01).shape == (480, 1)
    assert recorder.read(960, timeout_s=0.0).shape == (0, 1)
    feed(host, ramp(480))
    closer = threading.Timer(0.02, recorder.close)
    closer.start()
    assert recorder.read(960, 10.0).shape == (480, 1)
    assert recorder.read(960, 10.0).shape == (0, 1)
    closer.join()


def test_other_rate_is_resampled_whole() -> None:
    host = FakeHost(make_device(0, "first", samplerate=48000, default=True))
    x = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(96000) / 48000)).astype(np.float32)
    with make(host, 16000) as recorder:
        assert host.streams[0].request.samplerate == 48000, "speech recognition wants our resampling, not the system's"
        feed(host, x)
        y = recorder.read(31000, 10.0)[:, 0]
    assert np.argmax(np.abs(np.fft.rfft(y[8000:24000]))) == 1000


def test_content_rate_is_asked_of_the_device_if_preferred(host: FakeHost) -> None:
    with make(host, 16000, prefer_stream_rate="content"):
        assert host.streams[0].request.samplerate == 16000


def test_stereo_is_kept_if_wanted() -> None:
    host = FakeHost(make_device(0, "stereo", samplerate=RATE, default=True))
    with make(host, channels=2) as recorder:
        block = np.stack([ramp(480), -ramp(480)], axis=1).copy()
        host.streams[0].call(480, block)
        assert np.array_equal(recorder.read(480, 10.0), block)


def test_stereo_device_becomes_mono_by_the_mean() -> None:
    host = FakeHost(make_device(0, "wants all its channels", channels=2, samplerate=RATE, default=True))
    host.refused_channels = {1}
    with make(host) as recorder:
        host.streams[0].call(480, np.stack([ramp(480), 0 * ramp(480)], axis=1).copy())
        assert np.array_equal(recorder.read(480, 10.0)[:, 0], ramp(480) / 2)


def test_overruns_are_counted(host: FakeHost) -> None:
    with make(host, buffer_s=0.01) as recorder:
        feed(host, ramp(4800))
        lost = recorder.overruns
        assert 4800 - 1024 <= lost <= 4800 - 80
        assert recorder.read(4800, timeout_s=0.0).shape[0] == 4800 - lost
        assert recorder.snapshot_state().overruns == lost


def test_lost_device_is_replaced_and_keeps_what_was_captured(host: FakeHost) -> None:
    with make(host) as recorder:
        feed(host, ramp(480))
        host.listed = (make_device(4, "other", samplerate=RATE, default=True),)
        host.streams[0].finish()
        wait_for(lambda: recorder.snapshot_state().stream.generation == 2)
        feed(host, -ramp(480))
        y = recorder.read(960, 10.0)[:, 0]
        assert np.array_equal(y, np.concatenate([ramp(480), -ramp(480)]))
        assert recorder.snapshot_state().stream.device == "other"


def test_replacement_of_another_rate_keeps_speed_and_pitch(host: FakeHost) -> None:
    with make(host) as recorder:
        host.listed = (make_device(4, "headset", samplerate=16000, channels=1, default=True),)
        host.refused_rates = {RATE}
        host.streams[0].finish()
        wait_for(lambda: recorder.snapshot_state().stream.samplerate == 16000)
        feed(host, (0.5 * np.sin(2 * np.pi * 500 * np.arange(16000) / 16000)).astype(np.float32))
        y = recorder.read(7900, 10.0)[:, 0]
        assert np.argmax(np.abs(np.fft.rfft(y[:4000]))) == 250, "500 Hz in steps of 2 Hz"


def test_lost_for_good_still_closes(host: FakeHost) -> None:
    with make(host) as recorder:
        host.listed = (make_device(0, "speaker", channels=0),)
        host.streams[0].finish()
        wait_for(lambda: recorder.snapshot_state().stream.state is StreamState.LOST)
        assert recorder.read(100, timeout_s=0.01).shape == (0, 1)


def test_start_without_a_device_says_so(host: FakeHost) -> None:
    recorder = make(host, device="nowhere")
    with pytest.raises(DeviceNotFoundError, match="nowhere"):
        recorder.start()
    recorder.close()


def test_use_before_start_is_an_error(host: FakeHost) -> None:
    with pytest.raises(StreamError, match="not started"):
        make(host).read(10)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"samplerate": 16}, "samplerate is 16"),
        ({"buffer_s": 0}, "buffer_s is 0"),
        ({"blocksize": 0}, "blocksize is 0"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Recorder(**options)  # type: ignore[arg-type]
