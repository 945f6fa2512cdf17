"""The callback runs while another thread holds the GIL; a callback in Python, the control, does not."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sottovoce.native.callback import CaptureCallback, PlaybackCallback
from sottovoce.native.polyphase import StreamResampler
from sottovoce.native.ring import Ring
from tests.native.arrays import noise
from tests.native.portaudio import STREAM_CALLBACK
from tests.native.test_mixer import RATE, playing

BLOCKS = 1000
BLOCKSIZE = 64

# A thread of its own calls the callback; the caller waits for it, or gives up, without ever letting the GIL go.
SOURCE = """
#include <pthread.h>
#include <stdint.h>
#include <time.h>
typedef int callback(const void *, void *, unsigned long, const void *, unsigned long, void *);
static callback *function;
static void *userdata;
static float input[4096], output[4096];
static unsigned long frames;
static int wanted, done;
static pthread_t thread;
static void *call(void *unused) {
    for (int i = 0; i < wanted; i++) {
        function(input, output, frames, 0, 0, userdata);
        __atomic_store_n(&done, i + 1, __ATOMIC_RELEASE);
    }
    return unused;
}
int run(callback *called, void *data, unsigned long blocksize, int blocks, int timeout_ms) {
    const struct timespec pause = {0, 1000000};
    function = called, userdata = data, frames = blocksize, wanted = blocks, done = 0;
    if (pthread_create(&thread, 0, call, 0) != 0) return -1;
    for (int waited_ms = 0; waited_ms < timeout_ms; waited_ms++) {
        if (__atomic_load_n(&done, __ATOMIC_ACQUIRE) == wanted) break;
        nanosleep(&pause, 0);
    }
    return __atomic_load_n(&done, __ATOMIC_ACQUIRE);
}
void join(void) { pthread_join(thread, 0); }
"""


class Runner:
    """Runs a callback in a plain thread while this one holds the GIL."""

    def __init__(self, library: Path) -> None:
        self.holding = ctypes.PyDLL(str(library))  # PyDLL keeps the GIL during the call
        self.letting_go = ctypes.CDLL(str(library))
        self.holding.run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_int]

    def blocks_done(self, address: int, userdata: int, timeout_ms: int) -> int:
        """How many of ``BLOCKS`` blocks were done before the GIL was let go."""
        done = int(self.holding.run(address, userdata, BLOCKSIZE, BLOCKS, timeout_ms))
        self.letting_go.join()
        return done


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform == "win32":
        pytest.skip("no C compiler with pthreads: install gcc or clang to run the callback in a plain thread")
    folder = tmp_path_factory.mktemp("thread")
    source, library = folder / "thread.c", folder / "thread.so"
    source.write_text(SOURCE, encoding="utf-8")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", str(source), "-o", str(library), "-lpthread"], check=True)
    return Runner(library)


@pytest.mark.parametrize("samplerate", [RATE, 24_000])
def test_playback_runs_while_the_gil_is_held(runner: Runner, samplerate: int) -> None:
    mixer, source = playing(noise(16_384, 2), samplerate=samplerate)
    source.set_gain(0.5)
    callback = PlaybackCallback(mixer, 0, 44_100, 1)
    assert runner.blocks_done(callback.address, callback.userdata, 60_000) == BLOCKS
    assert callback.counters()["blocks"] == BLOCKS
    assert source.consumed_frames == 16_384


def test_capture_runs_while_the_gil_is_held(runner: Runner) -> None:
    ring = Ring(1 << 16, 1)
    callback = CaptureCallback(ring, 48_000, 2, 16_000, 0)
    assert runner.blocks_done(callback.address, callback.userdata, 60_000) == BLOCKS
    assert ring.readable_frames == StreamResampler(48_000, 16_000, 1, "standard").out_frames(BLOCKS * BLOCKSIZE)


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="this Python has no GIL to hold")
def test_callback_in_python_does_not(runner: Runner) -> None:
    out = np.zeros(BLOCKSIZE, np.float32)

    def callback(*_: object) -> int:
        out.fill(0.0)
        return 0

    function = STREAM_CALLBACK(callback)
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    assert runner.blocks_done(address, 0, 300) == 0
