"""Eight threads that ask one player for everything at once, and what a process holds before and after."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import gc
import logging
import os
import random
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sottovoce.audio.output import DeviceOutput
from sottovoce.audio.player import Player
from sottovoce.audio.source import PlayerSource
from sottovoce.core.errors import StreamError

_logger = logging.getLogger("sottovoce.tests")

THREADS = 8

#: What half a storm of a thousand recreates may add to the memory of the process; a leak of the callbacks adds 70 MB.
MEMORY_LIMIT_MB = 12.0


def resident_mb() -> float | None:
    """Memory of this process that is in use, in MB; None where the system does not tell."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):  # glibc gives back what is free, others need not
        ctypes.CDLL(None).malloc_trim(0)
    figures = Path("/proc/self/statm")
    if not figures.exists():
        return None
    return int(figures.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def threads_of_ours() -> list[str]:
    """Names of the threads that streams have started."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sottovoce-output")]


@dataclass
class Storm:
    """Asks for recreates, flushes, plays and closes, at random but the same at every run, until there were enough.

    Attributes
    ----------
    player : Player
        Started, on a device output.
    recreates : int
        How many are enough.
    """

    player: Player
    output: DeviceOutput
    recreates: int
    #: Time between two wishes of a thread, in seconds: on a real host, eight busy threads would leave it no processor.
    pace_s: float = 0.0

    def rage(self, limit_s: float) -> None:
        """Let all threads loose and wait for them; what one of them raises is raised."""
        failures: list[BaseException] = []
        deadline_s = time.monotonic() + limit_s

        def work(number: int) -> None:
            try:
                self._work(random.Random(number), deadline_s)
            except BaseException as failure:
                failures.append(failure)
                raise

        threads = [threading.Thread(target=work, args=(n,), name=f"storm-{n}") for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        if self.output.report().recreates < self.recreates:
            raise TimeoutError(f"{self.output.report().recreates} recreates in {limit_s} s")

    def _work(self, chance: random.Random, deadline_s: float) -> None:
        x = np.full(480, 0.1, np.float32)
        sources: list[PlayerSource] = []
        pause = threading.Event()
        while self.output.report().recreates < self.recreates and time.monotonic() < deadline_s:
            draw = chance.random()
            pause.wait(self.pace_s * draw)
            if draw < 0.4 or not sources:
                self.output.recreate("storm")
                if not sources:
                    with contextlib.suppress(StreamError):  # as many as can play are open, or on their way out
                        sources.append(self.player.open_source(channels=1))
            elif draw < 0.6:
                chance.choice(sources).flush()
            elif draw < 0.85:
                chance.choice(sources).write(x, timeout_s=0.0)
            elif draw < 0.92 and len(sources) < 3:
                with contextlib.suppress(StreamError):  # as many as can play are open
                    sources.append(self.player.open_source(channels=1))
            elif len(sources) > 1:
                sources.pop().close()
            else:
                self.player.snapshot_state()
        for source in sources:
            source.close()


def memory_over(storm: Storm, limit_s: float) -> float | None:
    """What the second half of a storm adds to the memory of the process, in MB; None where the system does not tell."""
    dataclasses.replace(storm, recreates=storm.recreates // 2).rage(limit_s / 2)
    before_mb = resident_mb()
    storm.rage(limit_s / 2)
    after_mb = resident_mb()
    if before_mb is None or after_mb is None:
        return None
    _logger.info("a storm of %d recreates: %.1f MB, then %.1f MB", storm.recreates, before_mb, after_mb)
    return after_mb - before_mb
