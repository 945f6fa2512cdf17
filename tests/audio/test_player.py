"""The Player on files: the same mixer, callback code and waiting as on a device, and every sample can be looked at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.placement import ResampleMode
from sottovoce.audio.player import Player
from sottovoce.audio.wav import WavOutput, WavWriter
from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import AudioFileError, ConfigError, StreamClosedError, StreamError
from tests.audio.fakes import FakeHost, make_device, wait_for

RATE = 16000
STEP = 1 / 32768


def noise(frames: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.4, 0.4, frames).astype(np.float32)


def unpaced(path: Path, *, samplerate: int = RATE, channels: int = 1, **options: object) -> Player:
    return Player(samplerate, channels, output=WavOutput(path, paced=False, blocksize=160), **options)  # type: ignore[arg-type]


def heard(path: Path) -> np.ndarray:
    x, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return x


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.wav"


def test_what_is_written_is_in_the_file_whole(path: Path) -> None:
    x = noise(RATE)
    with unpaced(path, channels=2) as player:
        for start in range(0, RATE, 777):
            assert player.write(x[start : start + 777]) == len(x[start : start + 777])
    y = heard(path)
    assert y.shape == (RATE, 2)
    assert np.abs(y - x[:, None]).max() <= STEP


def test_write_takes_int16_and_stereo(path: Path) -> None:
    x = np.random.default_rng(2).integers(-9000, 9000, (3000, 2), dtype=np.int16)
    with unpaced(path, channels=2) as player:
        player.write(x)
    assert np.abs(heard(path)[:3000] - x / 32768).max() <= STEP


def test_write_that_is_longer_than_the_buffer_waits_for_room(path: Path) -> None:
    x = noise(5 * RATE)
    with unpaced(path, buffer_s=0.1) as player:
        assert player.write(x) == 5 * RATE
        assert player.snapshot_state().sources[0].queued_s <= 0.2
    assert np.abs(heard(path)[: len(x), 0] - x).max() <= STEP


def test_write_on_a_stream_that_stands_still_times_out(path: Path) -> None:
    with unpaced(path, buffer_s=0.1) as player:
        player.pause()
        taken = player.write(noise(RATE), timeout_s=0.05)
        assert 0 < taken < RATE
        assert player.write(noise(RATE), timeout_s=0.0) == 0
        player.resume()
        assert player.write(noise(RATE)) == RATE


def test_write_ends_early_when_cancelled(path: Path) -> None:
    cancel = CancelToken()
    with unpaced(path, buffer_s=0.1) as player, player.open_source() as source:
        source.pause()
        waiting = in_thread(lambda: source.write(noise(RATE), cancel=cancel))
        wait_for(lambda: source.queued_s > 0.09)
        cancel.cancel()
        assert 0 < waiting() < RATE


def test_write_ends_early_when_flushed_and_a_stale_one_is_refused(path: Path) -> None:
    with unpaced(path, buffer_s=0.1) as player, player.open_source() as source:
        source.pause()
        waiting = in_thread(lambda: source.write(noise(RATE)))
        wait_for(lambda: source.queued_s > 0.09)
        old = source.generation
        assert source.flush(timeout_s=5.0) == old + 1 == source.generation
        assert waiting() < RATE
        assert source.write(noise(100), generation=old) == 0
        source.resume()
        assert source.write(noise(100)) == 100
        source.end()
        assert source.drain(5.0)
        assert source.snapshot().counters["stale_writes"] >= 1


def test_write_waiting_for_room_is_told_that_the_player_closes(path: Path) -> None:
    player = unpaced(path, buffer_s=0.1)
    player.start()
    player.pause()
    waiting = in_thread(lambda: player.write(noise(RATE)))
    wait_for(lambda: player.snapshot_state().sources[0].queued_s > 0.09)
    player.close()
    with pytest.raises(StreamClosedError):
        waiting()


def test_flush_fades_out_without_a_click_and_drops_the_rest(path: Path) -> None:
    with Player(RATE, 1, output=WavOutput(path, paced=True, blocksize=160)) as player, player.open_source() as source:
        source.write(np.full(2 * RATE, 0.5, np.float32))
        wait_for(lambda: source.played_s > 0.1)
        source.flush(timeout_s=5.0)
        assert source.queued_s == 0.0
        assert source.first_frame_ns == 0
        source.write(np.full(RATE // 10, -0.5, np.float32))
        source.end()
        assert source.drain(5.0)
        assert source.first_frame_ns > 0
        assert source.played_s == pytest.approx(0.1)
    y = heard(path)[:, 0]
    assert len(y) < 2 * RATE
    assert np.count_nonzero(y < -0.49) == RATE // 10
    fall = y[: np.argmax(y < 0)]
    assert np.abs(np.diff(fall[np.argmax(fall > 0.4) :])).max() < 0.5 / 40, "5 ms are 80 frames"


def test_drain_counts_what_was_heard(path: Path) -> None:
    with unpaced(path) as player, player.open_source() as source:
        source.write(noise(RATE))
        source.end()
        assert source.drain(10.0)
        assert (source.played_s, source.queued_s) == (1.0, 0.0)


def test_drain_gives_up_after_its_time_a_cancellation_or_a_flush(path: Path) -> None:
    with unpaced(path) as player, player.open_source() as source:
        source.pause()
        source.write(noise(1000))
        assert not source.drain(0.02)
        cancel = CancelToken()
        waiting = in_thread(lambda: source.drain(cancel=cancel))
        cancel.cancel()
        assert not waiting()
        waiting = in_thread(source.drain)
        source.flush(5.0)
        assert not waiting()


def test_utterances_follow_one_another_after_an_end(path: Path) -> None:
    with unpaced(path) as player, player.open_source() as source:
        for seed in (1, 2, 3):
            source.write(noise(1000, seed))
            source.end()
            assert source.drain(5.0)
    y = heard(path)[:, 0]
    starts = [int(np.argmax(np.correlate(y, noise(1000, seed), "valid"))) for seed in (1, 2, 3)]
    for seed, start in zip((1, 2, 3), starts, strict=True):
        assert np.abs(y[start : start + 1000] - noise(1000, seed)).max() <= STEP
    assert starts[1] - starts[0] < 1000 + 2 * 160, "nothing but the rest of a block in between"


@pytest.mark.parametrize("mode", ["producer", "callback"])
@pytest.mark.parametrize("rate", [8000, 22050, 24000, 44100, 48000])
def test_source_of_another_rate_keeps_length_and_pitch(path: Path, mode: ResampleMode, rate: int) -> None:
    x = (0.5 * np.sin(2 * np.pi * 500 * np.arange(2 * rate) / rate)).astype(np.float32)
    with unpaced(path, samplerate=48000, resample_mode=mode) as player, player.open_source(rate) as source:
        for start in range(0, len(x), 480):
            source.write(x[start : start + 480])
        source.end()
        assert source.drain(10.0)
        assert source.played_s == pytest.approx(2.0, abs=0.001)
    y = heard(path)[:, 0]
    assert 96000 <= len(y) <= 96000 + 2 * 160
    assert np.argmax(np.abs(np.fft.rfft(y[:96000]))) == 1000, "500 Hz in steps of 0.5 Hz"
    assert np.abs(y[2000:94000]).max() == pytest.approx(0.5, abs=0.01)


def test_flush_in_the_middle_of_resampling_leaves_no_old_sound(path: Path) -> None:
    with unpaced(path, samplerate=48000) as player, player.open_source(24000) as source:
        source.pause()
        source.write(np.full(2400, 0.9, np.float32))
        source.flush(5.0)
        source.resume()
        source.write(np.zeros(2400, np.float32))
        source.end()
        assert source.drain(5.0)
    assert np.abs(heard(path)).max() <= STEP


def test_resample_mode_off_refuses_another_rate(path: Path) -> None:
    with unpaced(path, resample_mode="off") as player:
        with pytest.raises(StreamError, match="24000 Hz, the mixer 16000") as caught:
            player.open_source(24000)
        assert "producer" in caught.value.hint
        player.open_source(16000).close()


def test_sources_sound_together_with_their_gains(path: Path) -> None:
    with unpaced(path) as player, player.open_source() as one, player.open_source() as two:
        for source in (one, two):
            source.pause()
        one.set_gain(0.5, 0.0)
        one.write(np.full(RATE, 0.4, np.float32))
        two.write(np.full(RATE, 0.1, np.float32))
        for source in (one, two):
            source.end()
            source.resume()
        assert one.drain(5.0)
        assert two.drain(5.0)
    y = heard(path)[:, 0]
    assert np.isclose(y, 0.3, atol=2 * STEP).sum() > RATE - 1600


def test_prebuffer_is_awaited_unless_the_utterance_ends(path: Path) -> None:
    with unpaced(path) as player, player.open_source(prebuffer_s=0.5) as source:
        source.write(noise(RATE // 4))
        assert not source.drain(0.02)
        assert source.first_frame_ns == 0
        source.end()
        assert source.drain(5.0)


def test_prebuffer_counts_anew_for_the_next_utterance(path: Path) -> None:
    with unpaced(path) as player, player.open_source(prebuffer_s=0.5) as source:
        source.write(noise(RATE // 4))
        source.end()
        assert source.drain(5.0)
        source.write(noise(RATE // 4))
        assert not source.drain(0.02)
    assert len(heard(path)) < RATE // 4 + 320


def test_closing_a_file_takes_what_is_queued_whatever_the_prebuffer_is(path: Path) -> None:
    x = noise(RATE // 4)
    with unpaced(path) as player:
        player.open_source(prebuffer_s=0.5).write(x)
    assert np.abs(heard(path)[: len(x), 0] - x).max() <= STEP


def test_closing_a_file_takes_what_the_resampler_holds(path: Path) -> None:
    with unpaced(path, samplerate=48000) as player:
        player.open_source(24000).write(noise(24000))
    assert 48000 <= len(heard(path)) < 48000 + 160


def test_paced_output_goes_on_through_silence(path: Path) -> None:
    output = WavOutput(path, paced=True, blocksize=160)
    with Player(RATE, 1, output=output) as player:
        wait_for(lambda: output.frames > 1000)
        player.write(noise(1600))
        assert player.drain(10.0)
        ended = output.frames
        wait_for(lambda: output.frames > ended + 500)
    y = heard(path)[:, 0]
    assert len(y) >= 1600 + 1500
    start = int(np.argmax(np.correlate(y, noise(1600), "valid")))
    assert np.abs(y[start : start + 1600] - noise(1600)).max() <= STEP
    assert np.abs(y[:start]).max() == 0.0


def test_first_frame_time_is_on_the_monotonic_clock(path: Path) -> None:
    with unpaced(path) as player, player.open_source() as source:
        before = time.monotonic_ns()
        source.write(noise(1600))
        source.end()
        assert source.drain(5.0)
        assert before <= source.first_frame_ns <= time.monotonic_ns()
        assert source.output_latency_s == 0.0


def test_leaving_by_an_error_does_not_wait_for_the_sound(path: Path) -> None:
    player = Player(RATE, 1, output=WavOutput(path, paced=True))

    def leave() -> None:
        with player:
            player.write(noise(RATE))
            player.pause()
            1 / 0

    with pytest.raises(ZeroDivisionError):
        leave()
    assert player.closed


def test_close_ends_its_threads_and_may_be_repeated(path: Path) -> None:
    player = unpaced(path)
    player.start()
    source = player.open_source()
    player.close()
    player.close()
    source.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "sottovoce-wav"]
    with pytest.raises(StreamClosedError):
        player.write(noise(10))
    with pytest.raises(StreamClosedError):
        player.open_source()
    with pytest.raises(StreamClosedError):
        source.write(noise(10))
    with pytest.raises(StreamError, match="started before"):
        player.start()


def test_use_before_start_is_an_error(path: Path) -> None:
    with pytest.raises(StreamError, match="not started") as caught:
        unpaced(path).write(noise(10))
    assert "with" in caught.value.hint


def test_full_disk_is_told_to_whoever_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: WavWriter, block: np.ndarray) -> None:
        raise OSError(28, "No space left on device")

    player = unpaced(path, buffer_s=0.1)
    player.start()
    monkeypatch.setattr(WavWriter, "write", refuse)
    with pytest.raises(AudioFileError, match="No space left"):
        player.write(noise(5 * RATE))
    assert player.snapshot_state().stream.state is StreamState.LOST
    player.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"samplerate": 48}, "samplerate is 48"),
        ({"channels": 0}, "channels is 0"),
        ({"buffer_s": 0.0}, "buffer_s is 0"),
        ({"resample_mode": "best"}, "resample_mode is 'best'; allowed: 'producer', 'callback', 'off'"),
        ({"prefer_stream_rate": "mine"}, "prefer_stream_rate is 'mine'; allowed: 'content', 'device'"),
        ({"blocksize": -1}, "blocksize is -1"),
        ({"latency": "lowest"}, "latency is 'lowest'"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Player(**options)  # type: ignore[arg-type]


def test_bad_source_arguments_are_named(path: Path) -> None:
    with unpaced(path) as player:
        with pytest.raises(ConfigError, match="prebuffer_s is 3"):
            player.open_source(buffer_s=1.0, prebuffer_s=3.0)
        with pytest.raises(ConfigError, match="3 channels; allowed: 1"):
            player.write(np.zeros((10, 3), np.float32))


def test_device_that_refuses_the_rate_is_fed_at_its_own(path: Path) -> None:
    from sottovoce.audio.output import DeviceOutput

    host = FakeHost(make_device(0, "44.1 only", samplerate=44100, channels=1, default=True))
    host.refused_rates = {24000}
    with Player(24000, 2, output=DeviceOutput(host=host)) as player:
        state = player.snapshot_state()
        assert (state.samplerate, state.channels) == (44100, 1), "the mixer runs at the stream's rate: soxr converts"
        assert state.stream.samplerate == 44100
        player.close()


def test_device_that_refuses_the_rate_is_an_error_if_resampling_is_off() -> None:
    from sottovoce.audio.output import DeviceOutput

    host = FakeHost(make_device(0, "44.1 only", samplerate=44100, default=True))
    host.refused_rates = {24000}
    with pytest.raises(StreamError, match="takes 44100 Hz, the content has 24000"):
        Player(24000, 2, output=DeviceOutput(host=host), resample_mode="off").start()


def in_thread(work: Callable[[], object]) -> Callable[[], object]:
    """Start work; what is returned waits for its result."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except StreamClosedError as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> object:
        thread.join(10.0)
        assert results, "still waiting"
        if isinstance(results[0], Exception):
            raise results[0]
        return results[0]

    return result
