"""Streams of devices whose clocks differ, beside each other on that of the microphone: simulated, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest

from sottovoce.audio.align import Aligner, AlignSettings, Capture, StreamZero
from sottovoce.core.paired import PairedBlock

RATE, BLOCK = 16_000, 512

Float = npt.NDArray[np.float32]

_GRID_HZ = 4000
_NOISE = np.random.default_rng(3).standard_normal(200 * _GRID_HZ)


def sound(at_s: npt.NDArray[np.float64]) -> Float:
    """The world: a noise that both ears hear, as a function of the true time."""
    place = np.minimum(at_s * _GRID_HZ, len(_NOISE) - 2.0)
    before = place.astype(np.int64)
    share = place - before
    return ((1.0 - share) * _NOISE[before] + share * _NOISE[before + 1]).astype(np.float32)


@dataclass
class Device:
    """Captures the world by a clock of its own; its blocks arrive late, never early."""

    ppm: float = 0.0
    begins_s: float = 1.0
    latency_s: float = 0.01
    jitter_s: float = 0.003
    block: int = BLOCK
    away: tuple[float, float] = (1e9, 1e9)
    stream: int = 1
    seed: int = 1
    _blocks: Iterator[tuple[float, Float, Capture]] = field(init=False)

    def __post_init__(self) -> None:
        self._blocks = self._make()
        self._next = next(self._blocks)

    def _make(self) -> Iterator[tuple[float, Float, Capture]]:
        rng, speed = np.random.default_rng(self.seed), 1 + self.ppm * 1e-6
        frame = captured = 0
        while True:
            at_s = self.begins_s + np.arange(frame, frame + self.block) / (RATE * speed)
            frame += self.block
            if self.away[0] <= at_s[0] < self.away[1]:  # what falls into the gap is lost, and the stream another one
                self.stream += at_s[-1] + self.block / RATE >= self.away[1]
                continue
            captured += self.block
            arrives_s = float(at_s[-1]) + 1 / RATE + self.latency_s + rng.exponential(self.jitter_s)
            yield arrives_s, sound(at_s), Capture((self.stream, 0), captured / RATE, round(arrives_s * 1e9))

    def until(self, now_s: float) -> tuple[Float, Capture | None]:
        """What has arrived by then."""
        heard: list[Float] = []
        capture = None
        while self._next[0] <= now_s:
            heard.append(self._next[1])
            capture = self._next[2]
            self._next = next(self._blocks)
        return np.concatenate([np.zeros(0, np.float32), *heard]), capture


def paired(
    microphone: Device, loopback: Device, seconds: float, own: Device | None = None, every_s: float = 0.032
) -> list[PairedBlock]:
    """What a reader gets that looks so often."""
    aligner, blocks = Aligner(AlignSettings(RATE, BLOCK)), []
    for now_s in np.arange(1.0, 1.0 + seconds, every_s):
        aligner.hear_microphone(*microphone.until(now_s))
        aligner.hear("loopback", *loopback.until(now_s))
        if own is not None:
            aligner.hear("own", *own.until(now_s))
        block = aligner.take(round(now_s * 1e9))
        if block is not None:
            blocks.append(block)
    return blocks


def joined(blocks: list[PairedBlock]) -> tuple[Float, Float, Float]:
    ends = np.cumsum([len(block.microphone) for block in blocks])
    assert [block.start_frame for block in blocks] == [0, *ends[:-1]]
    streams = [[getattr(block, name) for block in blocks] for name in ("microphone", "loopback", "own")]
    microphone, loopback, own = (np.concatenate(stream) for stream in streams)
    assert len(microphone) == len(loopback) == len(own)
    return microphone, loopback, own


def lag_ms(microphone: Float, other: Float) -> float:
    """By how much ``other`` comes later than ``microphone``."""
    size = 2 * len(microphone)
    spectrum = np.fft.rfft(other, size) * np.conj(np.fft.rfft(microphone, size))
    likeness = np.fft.irfft(spectrum, size)
    at = int(np.argmax(likeness))
    return 1000.0 * (at if at < size // 2 else at - size) / RATE


def lags_ms(microphone: Float, other: Float, from_s: float) -> list[float]:
    """One for each second."""
    seconds = range(round(from_s), len(microphone) // RATE)
    return [lag_ms(microphone[at * RATE : (at + 1) * RATE], other[at * RATE : (at + 1) * RATE]) for at in seconds]


@pytest.mark.parametrize("ppm", [-300.0, 0.0, 300.0])
def test_clocks_that_differ_are_held_together(ppm: float) -> None:
    microphone, loopback, _ = joined(paired(Device(), Device(ppm, begins_s=1.3, seed=2), 90.0))
    lags = lags_ms(microphone, loopback, 3.0)
    assert max(map(abs, lags)) <= 3.0
    assert max(map(abs, lags[-30:])) <= 1.0, "settled"
    uncorrected_ms = 300e-3 * 87.0
    assert uncorrected_ms > 20.0, "which is what would be seen without the resampler"


@pytest.mark.parametrize("ppm", [-300.0, 300.0])
def test_difference_of_the_clocks_is_measured(ppm: float) -> None:
    blocks = paired(Device(), Device(ppm, seed=2), 150.0)
    assert abs(blocks[-1].drift_ppm - ppm) < 60.0
    assert abs(blocks[-1].offset_s) < 0.001


def test_streams_that_begin_apart_lie_where_they_were_captured() -> None:
    """Whichever begins first, and however long its blocks are."""
    for begins_s, block in ((1.0, 160), (1.7, 512), (2.013, 1600)):
        microphone, loopback, _ = joined(paired(Device(begins_s=1.2), Device(begins_s=begins_s, block=block), 8.0))
        assert max(map(abs, lags_ms(microphone, loopback, 3.0))) <= 2.0


def test_known_latency_of_a_device_is_a_constant_offset() -> None:
    microphone, loopback, _ = joined(paired(Device(latency_s=0.03), Device(latency_s=0.01), 10.0))
    # what is captured at the same time arrives 20 ms earlier at the loopback, and so counts as being earlier
    assert lags_ms(microphone, loopback, 3.0) == pytest.approx([-20.0] * 6, abs=2.0)


def test_loopback_that_goes_away_is_silence_and_comes_back_in_its_place() -> None:
    blocks = paired(Device(), Device(away=(5.0, 8.0), seed=2), 14.0)
    microphone, loopback, _ = joined(blocks)
    assert len(microphone) > 12.5 * RATE, "the microphone goes on"
    assert not loopback[round(4.3 * RATE) : round(6.7 * RATE)].any()
    assert max(map(abs, lags_ms(microphone, loopback, 9.0))) <= 2.0
    there = [block.loopback_there for block in blocks]
    assert there[-1]
    assert not all(there[60:])
    assert any(block.loopback_moved for block in blocks[200:])


def test_microphone_that_goes_away_is_silence_and_the_loopback_goes_on() -> None:
    blocks = paired(Device(away=(5.0, 8.0)), Device(seed=2), 14.0)
    microphone, loopback, _ = joined(blocks)
    assert len(loopback) > 12.5 * RATE
    gap = slice(round(4.5 * RATE), round(6.5 * RATE))
    assert not microphone[gap].any()
    assert (loopback[gap] != 0.0).mean() > 0.99
    assert max(map(abs, lags_ms(microphone, loopback, 10.0))) <= 2.0
    assert any(not block.microphone_there for block in blocks)
    assert blocks[-1].microphone_there


def test_own_voice_that_begins_later_lies_where_it_was_played() -> None:
    own = Device(begins_s=4.0, latency_s=0.0, jitter_s=0.001, block=85, seed=5)
    blocks = paired(Device(latency_s=0.0), Device(latency_s=0.0, seed=2), 10.0, own)
    microphone, _, played = joined(blocks)
    assert not played[: round(2.9 * RATE)].any()
    assert max(map(abs, lags_ms(microphone, played, 5.0))) <= 2.0
    assert [block.own_sounds for block in blocks][-1]
    delay_s = 10.0 - len(microphone) / RATE
    assert delay_s < 0.15


def test_nothing_waits_for_what_never_comes() -> None:
    never = Device(begins_s=1e6)
    microphone, loopback, own = joined(paired(Device(), never, 5.0, never))
    assert len(microphone) > 4.8 * RATE
    assert not loopback.any()
    assert not own.any()


def test_reader_that_looks_seldom_gets_the_same_places() -> None:
    microphone, loopback, _ = joined(paired(Device(), Device(200.0, seed=2), 20.0, every_s=0.16))
    assert max(map(abs, lags_ms(microphone, loopback, 3.0))) <= 3.0


def test_zero_of_a_stream_is_that_of_its_earliest_block() -> None:
    zero = StreamZero()
    assert zero.ns is None
    for second, late_ns in ((1, 9_000_000), (2, 1_000_000), (3, 5_000_000)):
        zero.note(Capture((1, 0), second, round(second * 1e9) + 7_000 + late_ns))
    assert zero.ns == 1_007_000
    assert zero.note(Capture((2, 0), 3.5, 9_000_000_000)), "another stream"
    assert zero.ns == 5_500_000_000
