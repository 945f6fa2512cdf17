"""The playback callback driven by a loop, no device: ns per block against the same callback in NumPy.

256 frames, stereo, one source at the mixer's samplerate, gain 1. The two take turns in one run. ``native_ns`` is the
median of many loops of the very C function that PortAudio calls (telemetry included); ``native_p50_ns`` and
``native_p99_ns`` come from the callback's own histogram. ``numpy_ns`` is a Python function called with an array, as
sounddevice does, without the cost of making that array. ``resampling_ns`` and ``sources_32_ns`` are the native callback
with one mono source at 24 kHz, and with 32 sources.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import numpy.typing as npt

from bench.reference import NumpyCallback, Playing
from sottovoce.native.callback import PlaybackCallback
from sottovoce.native.mixer import Mixer, Source

TARGETS = {"speedup_vs_numpy": (">=", 30.0)}

BLOCKSIZE = 256
SAMPLERATE = 48_000
BLOCKS = 60  # in one turn: a third of a second, as a player keeps queued


class NativeRun:
    """A callback whose sources never run dry: each is refilled between turns."""

    def __init__(self, samplerate: int, channels: int, sources: int) -> None:
        mixer = Mixer(SAMPLERATE, 2)
        self.callback = PlaybackCallback(mixer, 0)
        self.sources = [mixer.add_source(samplerate, channels, 2 * BLOCKS * BLOCKSIZE) for _ in range(sources)]
        rng = np.random.default_rng(channels)
        self.signal = rng.uniform(-0.01, 0.01, (2 * BLOCKS * BLOCKSIZE, channels)).astype(np.float32)

    def turn(self) -> float:
        """Nanoseconds per block over one turn."""
        for source in self.sources:
            _fill(source, self.signal)
        return self.callback.drive(BLOCKSIZE, BLOCKS)

    def check(self) -> None:
        """What was measured was playing."""
        counted = self.callback.counters()
        if counted["underruns"] or counted["idle_blocks"]:
            raise RuntimeError(f"the sources ran dry, so nothing was measured: {counted}")


def _fill(source: Source, signal: npt.NDArray[np.float32]) -> None:
    source.write(signal[: source.writable_frames], source.generation)


class NumpyRun:
    """The NumPy callback over the same signal."""

    def __init__(self) -> None:
        rng = np.random.default_rng(2)
        self.signal = rng.uniform(-0.01, 0.01, (BLOCKS * BLOCKSIZE, 2)).astype(np.float32)
        self.out = np.empty((BLOCKSIZE, 2), np.float32)
        self.blocks_ns: list[int] = []

    def turn(self) -> float:
        """Nanoseconds per block over one turn; single blocks are kept for the percentiles."""
        callback = NumpyCallback([Playing(self.signal)], 2)
        start_ns = time.perf_counter_ns()
        for _ in range(BLOCKS):
            callback(self.out, BLOCKSIZE, None, None)
        spent_ns = time.perf_counter_ns() - start_ns
        for source in callback.sources:
            source.position = 0
        for _ in range(BLOCKS):
            start_ns = time.perf_counter_ns()
            callback(self.out, BLOCKSIZE, None, None)
            self.blocks_ns.append(time.perf_counter_ns() - start_ns)
        return spent_ns / BLOCKS


def run(quick: bool) -> dict[str, float]:
    """Let all of them take turns."""
    native = {"native": NativeRun(SAMPLERATE, 2, 1), "resampling": NativeRun(24_000, 1, 1)}
    numpy_run = NumpyRun()
    times: dict[str, list[float]] = {name: [] for name in (*native, "numpy", "sources_32")}
    rounds = 100 if quick else 1000
    for _ in range(rounds):
        for name, racer in native.items():
            times[name].append(racer.turn())
        times["numpy"].append(numpy_run.turn())
    native["sources_32"] = NativeRun(SAMPLERATE, 2, 32)  # apart: its rings would push the others' out of the cache
    times["sources_32"] = [native["sources_32"].turn() for _ in range(rounds)]
    for racer in native.values():
        racer.check()
    medians = {f"{name}_ns": statistics.median(values) for name, values in times.items()}
    durations = native["native"].callback.durations
    numpy_blocks = sorted(numpy_run.blocks_ns)
    return {
        "speedup_vs_numpy": medians["numpy_ns"] / medians["native_ns"],
        **medians,
        "native_p50_ns": float(durations.percentile_ns(50)),
        "native_p99_ns": float(durations.percentile_ns(99)),
        "numpy_p50_ns": float(numpy_blocks[len(numpy_blocks) // 2]),
        "numpy_p99_ns": float(numpy_blocks[len(numpy_blocks) * 99 // 100]),
    }
