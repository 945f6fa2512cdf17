"""Plays through a live stream, in the default output, and writes which threads are Python's own.

python streaming.py native|numpy said.json
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench.reference import NumpyCallback, Playing

RATE = 48_000
LATENCY_S = 0.1
ENOUGH_BLOCKS = 200
LIMIT_S = 60.0

threads = {threading.get_native_id()}


def remember_thread(*_: object) -> None:
    """Called once in every thread that Python starts."""
    threads.add(threading.get_native_id())
    sys.setprofile(None)


def play_native(signal: np.ndarray) -> int:
    """Ours: play, flush in the middle, change gain; returns how many blocks were called for."""
    from sottovoce.audio.player import Player

    with Player(RATE, 2, latency=LATENCY_S) as player, player.open_source(channels=2) as source:
        deadline_s = time.monotonic() + LIMIT_S
        source.write(signal[:RATE])
        source.set_gain(0.5)
        source.write(signal[:RATE], source.flush(timeout_s=LIMIT_S))
        while (blocks := player.snapshot_state().stream.counters["blocks"]) < ENOUGH_BLOCKS:
            if time.monotonic() > deadline_s:
                break
            source.write(signal[:4800], timeout_s=1.0)
        return blocks


def play_numpy(signal: np.ndarray) -> int:
    """As it is usually written."""
    import sounddevice

    callback = NumpyCallback([Playing(np.tile(signal, (60, 1)))], 2)
    blocks = 0
    enough = threading.Event()

    def counted(*arguments: object) -> None:
        nonlocal blocks
        callback(*arguments)  # type: ignore[arg-type]
        blocks += 1
        if blocks >= ENOUGH_BLOCKS:
            enough.set()

    with sounddevice.OutputStream(RATE, 256, channels=2, dtype="float32", latency=LATENCY_S, callback=counted):
        enough.wait(LIMIT_S)
    return blocks


def main(which: str, said: Path) -> None:
    """Play, and say what was played and by whom."""
    threading.setprofile(remember_thread)
    signal = np.random.default_rng(1).uniform(-0.3, 0.3, (2 * RATE, 2)).astype(np.float32)
    blocks = (play_native if which == "native" else play_numpy)(signal)
    said.write_text(json.dumps({"blocks": blocks, "python_threads": sorted(threads)}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
