"""How soon playback yields to speech: by the word that the capture callback writes, and by a thread of Python's."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from sottovoce.native.callback import CaptureCallback, PlaybackCallback
from sottovoce.native.ring import Ring
from sottovoce.native.source import Source

Float = npt.NDArray[np.float32]

BLOCKSIZE = 256
CONTENT_LEVEL = 0.5
DUCK_GAIN = 0.25

#: False on a free-threaded Python.
GIL_IS_THERE: bool = getattr(sys, "_is_gil_enabled", lambda: True)()

_SOURCE = Path(__file__).with_suffix(".c")


class _Trial(ctypes.Structure):
    """``trial`` of reflex.c."""

    _fields_ = (
        ("capture", ctypes.c_void_p),
        ("play", ctypes.c_void_p),
        ("capture_userdata", ctypes.c_void_p),
        ("play_userdata", ctypes.c_void_p),
        ("quiet", ctypes.c_void_p),
        ("word", ctypes.c_void_p),
        ("frames", ctypes.c_uint64),
        ("blocks_before", ctypes.c_uint64),
        ("most_blocks", ctypes.c_uint64),
        ("period_ns", ctypes.c_uint64),
        ("offset_ns", ctypes.c_uint64),
        ("level", ctypes.c_float),
        ("started_ns", ctypes.c_uint64),
        ("word_ns", ctypes.c_uint64),
        ("blocks", ctypes.c_uint64),
        ("done", ctypes.c_uint64),
    )


def compiler() -> str | None:
    """A C compiler with POSIX threads, if there is one."""
    if sys.platform != "linux":
        return None
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build_probe(folder: Path) -> ReflexProbe:
    """Compile reflex.c into a folder."""
    library = folder / "reflex.so"
    found = compiler()
    if found is None:
        raise RuntimeError("no C compiler for Linux: apt-get install gcc")
    command = [found, "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", str(_SOURCE), "-o", str(library), "-lpthread", "-lm"]
    subprocess.run(command, check=True)
    return ReflexProbe(library)


class ReflexProbe:
    """Drives a capture and a playback callback in plain threads."""

    #: After the word; then it is given up.
    most_blocks = 100

    def __init__(self, library: Path) -> None:
        self._holding = ctypes.PyDLL(str(library))  # PyDLL keeps the GIL during the call
        self._letting_go = ctypes.CDLL(str(library))

    def blocks_until_ducked(
        self,
        capturing: CaptureCallback,
        playing: PlaybackCallback,
        word: Float,
        *,
        holding: bool,
        period_ns: int = 1_000_000,
        offset_ns: int = 0,
    ) -> int:
        """Blocks of playback from the word to a quieter one; above ``most_blocks`` if there was none.

        With ``holding``, the caller holds the GIL all the while.
        """
        quiet = np.zeros((BLOCKSIZE, 1), np.float32)
        trial = _Trial(
            capture=capturing.address,
            play=playing.address,
            capture_userdata=capturing.userdata,
            play_userdata=playing.userdata,
            quiet=quiet.ctypes.data,
            word=word.ctypes.data,
            frames=BLOCKSIZE,
            blocks_before=10,
            most_blocks=self.most_blocks,
            period_ns=period_ns,
            offset_ns=offset_ns,
            level=CONTENT_LEVEL,
        )
        blocks = int((self._holding if holding else self._letting_go).run(ctypes.byref(trial)))
        if blocks < 0:
            raise RuntimeError("the system gives no thread")
        return max(1, blocks)


class PythonDuck:
    """The same reflex as a thread in Python: looks at what was captured every millisecond, and asks for the duck."""

    def __init__(self, ring: Ring, source: Source) -> None:
        self._ring, self._source = ring, source
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="python-duck")

    def _watch(self) -> None:
        heard = np.empty((self._ring.capacity_frames, 1), np.float32)
        while not self._stop.wait(0.001):
            frames = self._ring.read_into(heard)
            if frames and np.sqrt(np.mean(np.square(heard[:frames]))) > 0.005:
                self._source.duck(DUCK_GAIN)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
