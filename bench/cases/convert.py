"""int16 to float32 and back, native against NumPy, at 480 and 48000 frames, mono and stereo.

Peers alternate in one run and medians are compared. ``speedup_min`` is the least of all speedups of the round trip,
there and back, over sizes and channels, against NumPy as a good user writes it: ``x.astype(float32) / 32768``, and
``rint(clip(x) * 32768).astype(int16)``, which give the same results and allocate. The two directions are given apart,
as ``*_there_*`` and ``*_back_*``; ``*_into_*`` is native against NumPy with ``out=`` arrays made beforehand. Native
calls write into arrays made beforehand, and turn NaN into 0, which the NumPy side does not.

At 48000 frames int16 to float32 is as fast as the second-level cache takes stores (a memset of the output takes 80 % of
its time), so that direction alone stays below 4 there.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np

from bench import reference
from sottovoce.native.convert import float32_to_int16, int16_to_float32

TARGETS = {"speedup_min": (">=", 4.0)}


def _interleaved_ns(calls: Mapping[str, Callable[[], object]], repeats: int, rounds: int) -> dict[str, float]:
    """Median nanoseconds of each call, over rounds in which all of them take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start_ns = time.perf_counter_ns()
            for _ in range(repeats):
                call()
            times[name].append((time.perf_counter_ns() - start_ns) / repeats)
    return {name: statistics.median(values) for name, values in times.items()}


def _measure(frames: int, channels: int, rounds: int) -> dict[str, float]:
    rng = np.random.default_rng(frames + channels)
    whole = rng.integers(-reference.FULL_SCALE, reference.FULL_SCALE, (frames, channels)).astype(np.int16)
    floats = reference.int16_to_float32(whole)
    out_float, scratch, out_whole = np.empty_like(floats), np.empty_like(floats), np.empty_like(whole)
    repeats = max(20, 48_000 // (frames * channels))
    there = {
        "native_there": lambda: int16_to_float32(whole, out_float),
        "numpy_there": lambda: reference.int16_to_float32(whole),
        "numpy_into_there": lambda: reference.int16_to_float32_into(whole, out_float),
    }
    back = {
        "native_back": lambda: float32_to_int16(floats, out_whole),
        "numpy_back": lambda: reference.float32_to_int16_idiomatic(floats),
        "numpy_into_back": lambda: reference.float32_to_int16_into(floats, scratch, out_whole),
    }
    return _interleaved_ns(there, repeats, rounds) | _interleaved_ns(back, repeats, rounds)


def run(quick: bool) -> dict[str, float]:
    """Race both directions at every size."""
    figures: dict[str, float] = {}
    speedups = []
    for frames in (480, 48_000):
        for channels, shape in ((1, "mono"), (2, "stereo")):
            times = _measure(frames, channels, 60 if quick else 400)
            size = f"{frames}_{shape}"
            for way in ("there", "back"):
                figures[f"native_{way}_ns_{size}"] = times[f"native_{way}"]
                figures[f"speedup_{way}_{size}"] = times[f"numpy_{way}"] / times[f"native_{way}"]
                figures[f"speedup_into_{way}_{size}"] = times[f"numpy_into_{way}"] / times[f"native_{way}"]
            speedup = (times["numpy_there"] + times["numpy_back"]) / (times["native_there"] + times["native_back"])
            figures[f"speedup_{size}"] = speedup
            speedups.append(speedup)
    return {"speedup_min": min(speedups), **figures}
