"""Everybody at once: writers, a flusher, commands, readers of figures, while plain threads run the callbacks.

    python race.py render.so seconds

Run with native modules built with ThreadSanitizer first on the path. Prints, as JSON, how much has happened.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from sottovoce.native.activity import Activity
from sottovoce.native.callback import CaptureCallback, PlaybackCallback
from sottovoce.native.mixer import Mixer, Source
from sottovoce.native.ring import Ring

RATE = 48_000


class Caller(ctypes.Structure):
    """``caller`` of render.c."""

    _fields_ = (
        ("called", ctypes.c_void_p),
        ("userdata", ctypes.c_void_p),
        ("thread", ctypes.c_ulong),
        ("stop", ctypes.c_int),
        ("blocks", ctypes.c_uint64),
    )


def write(source: Source) -> None:
    """What a TTS worker does."""
    x = np.zeros((300, source.channels), np.float32)
    source.write(x, source.generation)
    source.end(source.generation)


def flush(source: Source) -> None:
    """What an interruption does."""
    source.flush()
    time.sleep(0.0005)


def command(source: Source) -> None:
    """What a person does."""
    with contextlib.suppress(RuntimeError):  # the queue is full until the next block
        source.pause()
        source.set_gain(0.5)
        source.duck(0.5)
        source.resume()
    time.sleep(0.0005)


def look(source: Source, mixer: Mixer, callback: PlaybackCallback) -> None:
    """What a monitor does."""
    source.counters(), mixer.counters(), callback.counters()
    callback.peak, callback.rms
    callback.durations.percentile_ns(99), mixer.flush_latencies.percentile_ns(99)
    source.heard_s(0.0), source.played_frames, source.first_frame_ns, source.queued_frames, callback.last_block_ns


def mark(mixer: Mixer, source: Source, told: Counter[str]) -> None:
    """Whoever wants to know when it was heard."""
    with contextlib.suppress(RuntimeError):
        marks = [mixer.mark(source), mixer.fence()]
        time.sleep(0.001)
        told.update(result[0] for result in map(mixer.take_result, marks) if result)


def listen(mixer: Mixer, activity: Activity) -> None:
    """Whoever connects a microphone and disconnects it, and one that is forgotten while it is looked at."""
    with contextlib.suppress(RuntimeError):
        mixer.yield_to(activity, 0.5)
        activity.configure(-90.0, 0.0, 0.0001)
        activity.counters(), activity.active
        mixer.yield_to(Activity())
        mixer.yield_to(activity)
    time.sleep(0.0005)


def replace(mixer: Mixer) -> None:
    """An earcon comes and goes; its memory is freed while the callback runs."""
    with contextlib.suppress(RuntimeError):
        earcon = mixer.add_source(24_000, 1, 256)
        earcon.write(np.zeros((200, 1), np.float32), 0)
        mixer.remove_source(earcon)
    time.sleep(0.0005)


def move(mixer: Mixer, count: list[int]) -> None:
    """Resampling leaves the callback in the middle of an utterance."""
    with contextlib.suppress(RuntimeError):
        source = mixer.add_source(24_000, 1, 1024)
        x = np.zeros((300, 1), np.float32)
        source.write(x, 0)
        source.move(0)
        source.write(x, 0)
        for _ in range(50):
            source.played_s, source.queued_s, source.held_frames
            if source.moved:
                break
            time.sleep(0.0005)
        count[0] += source.moved
        mixer.remove_source(source)
    time.sleep(0.0005)


def main(library: str, seconds: float) -> None:
    """Let them all run."""
    render = ctypes.CDLL(library)
    render.stop.restype = ctypes.c_uint64
    mixer, ring = Mixer(RATE, 2), Ring(512, 1)
    sources = [mixer.add_source(rate, 2, 1024, 128) for rate in (RATE, 24_000)]
    activity, told = Activity(), Counter[str]()
    playing, capturing = PlaybackCallback(mixer, 0), CaptureCallback(ring, RATE, 2, 16_000, 0, activity=activity)
    callers = [Caller(callback.address, callback.userdata) for callback in (playing, capturing)]
    read = np.empty((64, 1), np.float32)
    moves = [0]
    tasks: list[Callable[[], object]] = [
        lambda: listen(mixer, activity),
        lambda: replace(mixer),
        lambda: move(mixer, moves),
        lambda: ring.read_into(read),
    ]
    for source in sources:
        tasks += [lambda s=source: write(s), lambda s=source: flush(s), lambda s=source: command(s)]  # type: ignore[misc]
        tasks += [lambda s=source: look(s, mixer, playing), lambda s=source: mark(mixer, s, told)]  # type: ignore[misc]
    done = threading.Event()

    def repeat(task: Callable[[], object]) -> None:
        while not done.is_set():
            task()

    for caller in callers:
        render.start(ctypes.byref(caller))
    threads = [threading.Thread(target=repeat, args=[task], name=f"task-{i}") for i, task in enumerate(tasks)]
    for thread in threads:
        thread.start()
    done.wait(seconds)
    done.set()
    for thread in threads:
        thread.join()
    played, captured = [int(render.stop(ctypes.byref(caller))) for caller in callers]
    flushes = sum(source.acknowledged_generation for source in sources)
    json.dump({"played": played, "captured": captured, "flushes": flushes, "moved": moves[0],
               "consumed": sources[0].consumed_frames,
               "spoken": activity.counters()["active_blocks"], "yielded": mixer.counters()["yielded_blocks"],
               "marks": told.total(), "read": ring.read_frames,
               "file": sys.modules[Mixer.__module__].__file__}, sys.stdout)  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
