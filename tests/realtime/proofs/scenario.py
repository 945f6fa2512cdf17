"""What the callbacks are put through while armed; run in a Python that brings ``armed_call`` with it.

    python scenario.py native|numpy

Prints, as JSON, what was trapped (where the trap counts) and what the callbacks went through, so that whoever reads it
knows that nothing was left out.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench.reference import NumpyCallback, Playing
from sottovoce.native.activity import Activity
from sottovoce.native.callback import CaptureCallback, PlaybackCallback
from sottovoce.native.mixer import MAX_BLOCKSIZE, Mixer
from sottovoce.native.ring import Ring

Float = npt.NDArray[np.float32]

RATE = 48_000
BLOCKSIZE = 256

_process = ctypes.CDLL(None)
_process.armed_call.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p]


def noise(frames: int, channels: int, level: float = 0.2) -> Float:
    """Seeded noise."""
    return np.random.default_rng(frames).uniform(-level, level, (frames, channels)).astype(np.float32)


def voiced(frames: int) -> Float:
    """What passes for a voice, in stereo."""
    one = 0.2 * np.sin(2 * np.pi * 300 / RATE * np.arange(frames))
    return np.repeat(one[:, None], 2, axis=1).astype(np.float32)


class Driver:
    """Plays PortAudio's part for one callback, armed."""

    def __init__(self, address: int, userdata: int, channels: int) -> None:
        self.address, self.userdata = address, userdata
        self.out = np.zeros((MAX_BLOCKSIZE + 1, channels), np.float32)

    def play(self, blocks: int, frames: int = BLOCKSIZE) -> None:
        """So many blocks of output."""
        for _ in range(blocks):
            _process.armed_call(self.address, None, self.out.ctypes.data, frames, self.userdata)

    def capture(self, x: Float) -> None:
        """One block of input."""
        _process.armed_call(self.address, x.ctypes.data, None, len(x), self.userdata)


class Ear:
    """A microphone that a mixer may listen to."""

    def __init__(self) -> None:
        self.activity = Activity()
        self._callback = CaptureCallback(Ring(128, 1), RATE, 2, RATE, 1, activity=self.activity)
        self._driver = Driver(self._callback.address, self._callback.userdata, 2)

    def speak(self, hold_s: float) -> None:
        """One word."""
        self.activity.configure(hold_s=hold_s)
        self._driver.capture(voiced(BLOCKSIZE))


def resampled_to_the_end(mixer: Mixer, driver: Driver) -> int:
    """An utterance of another samplerate, with what its resampler holds back at the end; 1 if all was heard."""
    source = mixer.add_source(22_050, 1, 1 << 13)
    source.write(noise(4000, 1), 0)
    source.end(0)
    driver.play(60)
    mixer.remove_source(source)
    driver.play(1)
    return int(source.played_frames == 4000)


def moved(mixer: Mixer, driver: Driver) -> int:
    """Resampling that leaves the callback within an utterance and between two; how many sources did."""
    sources = [mixer.add_source(24_000, 1, 1 << 13, quality=quality) for quality in ("standard", "best", "linear")]
    for source in sources:
        source.write(noise(3000, 1), 0)
    driver.play(2)
    sources[0].end(0)
    for source in sources:
        source.move(0)
        source.write(noise(2000, 1), 0)
    driver.play(40)
    for source in sources:
        mixer.remove_source(source)
    driver.play(3)
    return sum(source.moved for source in sources)


def playback(samplerate: int, channels: int) -> dict[str, int]:
    """Everything that a mixer does, through a stream of that format."""
    mixer = Mixer(RATE, 2, undriven_s=3600.0)
    callback = PlaybackCallback(mixer, 1, samplerate, channels)
    driver = Driver(callback.address, callback.userdata, channels)
    callback.fade_in()
    callback.hold()
    driver.play(2)  # on trial
    callback.release()
    driver.play(2)  # idle
    formats = ((RATE, 2, "standard"), (24_000, 1, "linear"), (44_100, 3, "hq"))
    sources = [mixer.add_source(rate, count, 1 << 15, quality=quality) for rate, count, quality in formats]
    for source in sources:
        source.write(noise(8192, source.channels), 0)
        source.set_gain(0.5, 0.05)
    driver.play(4)
    ear = Ear()
    for gain in (0.2, None):  # they duck, they pause
        mixer.yield_to(ear.activity, gain)
        ear.speak(hold_s=60.0)
        driver.play(2)
        ear.speak(hold_s=0.0)
        driver.play(2)
    mixer.yield_to(None)
    sources[0].duck(0.5, 0.001)
    sources[0].pause()
    driver.play(4)
    sources[0].resume()
    marks = [mixer.mark(sources[1]) for _ in range(17)]  # one more than it keeps
    driver.play(1)
    for generation, source in enumerate(sources):
        source.flush()
        source.write(noise(4096 + generation, source.channels), 1)
        marks += [mixer.mark(source), mixer.fence()]
    driver.play(60)  # fades, acknowledges, plays what is new, runs dry, decays
    results = Counter(result[0] for result in map(mixer.take_result, marks) if result)
    heard = sum(source.heard_s(0.0) for source in sources)
    for source in sources:
        source.write(np.full((2000, source.channels), np.nan, np.float32), 1)
        source.write(noise(2000, source.channels, 2.0), 1)
    driver.play(4, 1000)
    mixer.remove_source(sources.pop())
    driver.play(3)
    more = [mixer.add_source(RATE, 2, 512) for _ in range(30)]
    for source in more:
        source.write(noise(512, 2), 0)
        source.end(0)
    driver.play(5)
    for source in more:
        mixer.remove_source(source)
    driver.play(5)
    went = {"ended": resampled_to_the_end(mixer, driver), "moved": moved(mixer, driver)}
    driver.play(2, MAX_BLOCKSIZE)
    driver.play(1, MAX_BLOCKSIZE + 1)  # refused
    _process.armed_call(callback.address, None, None, BLOCKSIZE, callback.userdata)  # no buffer
    callback.retire()
    driver.play(2)
    return {
        **mixer.counters(),
        **callback.counters(),
        **{f"marks_{outcome}": results[outcome] for outcome in ("passed", "flushed", "refused")},
        "heard_s": heard,
        "flushes": mixer.flush_latencies.count,
        "peak": callback.peak > 0.0,
        "resampled_blocks": callback.resampling.count,
        **went,
    }


def capture(samplerate: int, ring_samplerate: int) -> dict[str, int]:
    """Capture until the ring overruns, with NaN in it."""
    ring = Ring(1 << 13, 1)
    activity = Activity()
    mixer = Mixer(RATE, 1)
    mixer.yield_to(activity)
    callback = CaptureCallback(ring, samplerate, 2, ring_samplerate, 1, activity=activity)
    driver = Driver(callback.address, callback.userdata, 2)
    x = noise(1000, 2)
    x[7] = np.nan
    for _ in range(40):
        driver.capture(x)
        driver.capture(voiced(1000))
    driver.capture(np.zeros((MAX_BLOCKSIZE + 1, 2), np.float32))
    _process.armed_call(callback.address, None, None, BLOCKSIZE, callback.userdata)
    callback.retire()
    driver.capture(x)
    return {**callback.counters(), **activity.counters(), "peak": callback.peak > 0.0}


def numpy_playback() -> dict[str, int]:
    """The same in Python: a NumPy callback, called through ctypes as sounddevice's is called through cffi."""
    player = NumpyCallback([Playing(noise(1 << 14, 2))], 2)
    blocks = 0

    def called(_input: object, output: int, frames: int, *_: object) -> int:
        nonlocal blocks
        blocks += 1
        memory = (ctypes.c_float * (frames * 2)).from_address(output)
        player(np.ctypeslib.as_array(memory).reshape(frames, 2), frames, None, None)
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 2, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong,
                            ctypes.c_void_p)  # fmt: skip
    function = kind(called)
    Driver(ctypes.cast(function, ctypes.c_void_p).value or 0, 0, 2).play(100)
    return {"blocks": blocks}


def trapped() -> Iterator[tuple[str, int]]:
    """Name and count of all that was trapped; nothing where no trap counts."""
    with contextlib.suppress(AttributeError):
        _process.trapped_name.restype = ctypes.c_char_p
        _process.trapped_count.restype = ctypes.c_uint64
        index = 0
        while name := _process.trapped_name(index):
            yield name.decode(), _process.trapped_count(index)
            index += 1


def main(which: str) -> None:
    """Run one side and print what came of it."""
    went: dict[str, dict[str, int]] = {}
    if which == "native":
        went |= {f"playback {rate} {channels}": playback(rate, channels) for rate, channels in ((RATE, 2), (44_100, 1))}
        went |= {f"capture {rate}": capture(RATE, rate) for rate in (RATE, 16_000)}
    else:
        went["playback"] = numpy_playback()
    watched = list(trapped())
    found = {name: count for name, count in watched if count}
    json.dump({"watched": [name for name, _ in watched], "trapped": found, "went": went}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
