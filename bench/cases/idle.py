"""What a live session costs while nobody speaks: processor, memory, wake-ups.

`sottovoce live` with the offline parts, as its user starts it: on a terminal, with the sample notes and the virtual
sound card, whose microphone hears next to nothing (noise at -75 dBFS). After it says that it is ready, and has settled,
a minute is measured, from /proc. All threads of the process are counted, those of PortAudio and PulseAudio included.

``wakeups_per_s`` are the times that any thread went to sleep by itself (voluntary context switches); those of
``wakeups_python_per_s`` are of threads that Python knows, those of ``wakeups_audio_per_s`` of the others: PortAudio's,
which run the callbacks, and those of the sound system's client. Nobody else listens to that microphone: a sound server
wakes each of its clients as often as the most impatient one wants. ``two_ears_*`` are the same figures of a session
that listens to what the default output plays, too. ``idle_rss_*_mb`` is what each part adds when they are loaded one
after the other in a process of its own.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from bench.peers.card import SAMPLERATE, sound_card
from tests.support.soundcard import SoundCard, wait_until

TARGETS = {"idle_cpu_pct": ("<=", 2.0), "wakeups_per_s": ("<=", 120.0)}

#: From being ready to being measured: the first second still draws and primes, and the output has not rested yet.
SETTLE_S = 8.0
#: How often the threads are looked at, so that one that ends is counted nearly to its end.
LOOK_EVERY_S = 0.25
NOISE_DBFS = -75.0

#: Latencies (s) of what reads and what plays that microphone, so long that a session alone says how often it is woken.
READER_LATENCY_S, PLAYED_LATENCY_S = 0.05, 0.4

#: What is reported of a session with the second ear.
OF_BOTH_EARS = (
    "idle_cpu_pct",
    "idle_rss_mb",
    "wakeups_per_s",
    "wakeups_python_per_s",
    "wakeups_audio_per_s",
    "threads",
)

#: Before the name of a thread that Python does not know.
AUDIO = "audio: "

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_S = 60.0
_CLOCK = re.compile(rb"listening\D*?(?:\x1b\[[\d;]*m)*\s*(?:\x1b\[[\d;]*m)*\s*(\d+):(\d\d)")


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the threads of a process: seconds of processor time, sleeps, the system's name, by number."""

    at_s: float
    cpu_s: dict[int, float]
    sleeps: dict[int, int]
    programs: dict[int, str]


class Session:
    """`sottovoce live` on a terminal of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._names_file = folder / "threads.json"
        notes = str(resources.files("sottovoce.app") / "sample_notes")
        command = [sys.executable, "-m", "bench.peers.live_session", str(self._names_file), "live", "--notes", notes]
        command += ["--set", f"session.path={folder / 'sessions.db'}", *options]
        terminal, inside = pty.openpty()
        self._process = subprocess.Popen(
            command,
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT), "TERM": "xterm-256color"},
            stdin=inside,
            stdout=inside,
            stderr=inside,
        )
        os.close(inside)
        self._terminal, self._shown = terminal, bytearray()
        self._reader = threading.Thread(target=self._read, name="terminal")
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_ready(self) -> None:
        wait_until(lambda: b"Ready" in self._shown or self._process.poll() is not None, _PATIENCE_S, "a ready session")
        if self._process.poll() is not None:
            raise RuntimeError(f"the session has ended: {self._shown.decode(errors='replace')}")

    def names(self) -> dict[int, str]:
        """Names of the threads that Python knows, by number."""
        self._process.send_signal(signal.SIGUSR1)
        wait_until(self._names_file.exists, _PATIENCE_S, "the names of the threads")
        return {int(number): name for number, name in json.loads(self._names_file.read_text()).items()}

    def read(self) -> Reading:
        at_s, ticks = time.monotonic(), os.sysconf("SC_CLK_TCK")
        cpu_s: dict[int, float] = {}
        sleeps: dict[int, int] = {}
        programs: dict[int, str] = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                stat, status_text = (task / "stat").read_text(), (task / "status").read_text()
            except (FileNotFoundError, ProcessLookupError):  # it has just ended
                continue
            programs[int(task.name)] = stat.partition("(")[2].rpartition(")")[0]
            fields = stat.rpartition(")")[2].split()
            status = dict(line.split(":\t", 1) for line in status_text.splitlines() if ":\t" in line)
            cpu_s[int(task.name)] = (int(fields[11]) + int(fields[12])) / ticks
            sleeps[int(task.name)] = int(status["voluntary_ctxt_switches"])
        return Reading(at_s, cpu_s, sleeps, programs)

    @property
    def heard_s(self) -> float:
        """How long it has listened, as it shows on its terminal."""
        minutes, seconds = _CLOCK.findall(bytes(self._shown))[-1]
        return 60.0 * int(minutes) + int(seconds)

    @property
    def streams_lost(self) -> int:
        """How often a busy machine has cost it a stream, which makes the figures worse than they are."""
        return self._shown.count(b"the device is lost")

    @property
    def rss_mb(self) -> float:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE_S)
        self._reader.join()
        os.close(self._terminal)

    def _read(self) -> None:
        try:
            while shown := os.read(self._terminal, 4096):
                self._shown += shown
        except OSError:  # Linux's way to say that nobody holds the other end any more
            return


@contextmanager
def quiet_microphone(card: SoundCard, seconds: float) -> Iterator[None]:
    """A microphone in an empty room."""
    card.add("room", SAMPLERATE, READER_LATENCY_S)
    card.listen_to("room")
    card.add("phones", SAMPLERATE, READER_LATENCY_S)
    card.speak_to("phones")
    rng = np.random.default_rng(1)
    noise = 10 ** (NOISE_DBFS / 20) * rng.standard_normal(round(seconds * SAMPLERATE))
    with card.playing(noise.astype(np.float32), SAMPLERATE, "room", PLAYED_LATENCY_S):
        yield


def measure(session: Session, seconds: float) -> dict[str, float]:
    """The figures of a session that is ready."""
    time.sleep(SETTLE_S)
    names = session.names()
    first, first_heard_s = session.read(), session.heard_s
    cpu: dict[str, float] = defaultdict(float)
    wakeups: dict[str, float] = defaultdict(float)
    last = first
    while last.at_s - first.at_s < seconds:
        time.sleep(LOOK_EVERY_S)
        before, last = last, session.read()
        for number in last.cpu_s:  # one that is new has begun at nothing
            name = names.get(number, f"{AUDIO}{last.programs[number]}").removeprefix("sottovoce-")
            cpu[name] += 100.0 * (last.cpu_s[number] - before.cpu_s.get(number, 0.0))
            wakeups[name] += last.sleeps[number] - before.sleeps.get(number, 0)
    heard_s = session.heard_s - first_heard_s
    if heard_s < 0.8 * seconds - 1.0:
        raise RuntimeError(f"it heard {heard_s} s of {seconds} s: what was measured is no session")
    spent_s = last.at_s - first.at_s
    cpu = {name: value / spent_s for name, value in cpu.items()}
    wakeups = {name: value / spent_s for name, value in wakeups.items()}
    print("threads (processor %, wake-ups a second):", file=sys.stderr)
    for name in sorted(wakeups, key=lambda name: -wakeups[name]):
        print(f"  {name:<24} {cpu[name]:6.2f} {wakeups[name]:7.1f}", file=sys.stderr)
    wakeups_audio = sum(count for name, count in wakeups.items() if name.startswith(AUDIO))
    return {
        "idle_cpu_pct": sum(cpu.values()),
        "idle_cpu_audio_pct": sum(share for name, share in cpu.items() if name.startswith(AUDIO)),
        "idle_rss_mb": session.rss_mb,
        "wakeups_per_s": sum(wakeups.values()),
        "wakeups_python_per_s": sum(wakeups.values()) - wakeups_audio,
        "wakeups_audio_per_s": wakeups_audio,
        "threads": float(len(last.cpu_s)),
        "streams_lost": float(session.streams_lost),
    }


def run(quick: bool) -> dict[str, float]:
    """Hold a session in an empty room."""
    seconds = 10.0 if quick else 60.0
    with sound_card() as card, tempfile.TemporaryDirectory() as folder, quiet_microphone(card, 2.0 * seconds + 180.0):
        figures = hold(Path(folder), seconds)
        second = Path(folder, "second")
        second.mkdir()
        both = hold(second, seconds, "--loopback", "auto")
        figures |= {f"two_ears_{name.removeprefix('idle_')}": both[name] for name in OF_BOTH_EARS}
        return figures | {f"idle_rss_{part}_mb": size for part, size in loaded_parts().items()}


def hold(folder: Path, seconds: float, *options: str) -> dict[str, float]:
    """The figures of a session of its own."""
    session = Session(folder, *options)
    try:
        session.wait_until_ready()
        return measure(session, seconds)
    finally:
        session.close()


def loaded_parts() -> dict[str, float]:
    """What each part adds to the memory of a process, in MB."""
    command = [sys.executable, "-m", "bench.peers.loaded_parts"]
    done = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True, timeout=_PATIENCE_S)
    sizes: dict[str, float] = json.loads(done.stdout)
    return sizes
