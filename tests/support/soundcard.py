"""A sound card in software: a PulseAudio daemon with null sinks, which PortAudio reaches through ALSA's pulse plugin.

No kernel device, no privileges (realtime priority is taken where it is given). Each sink's monitor is both what was
played and a microphone. Import the fixture ``sound_card`` into the conftest.py of the tests that need it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

#: Program or file that each Debian package brings.
_NEEDS = {"pulseaudio": "pulseaudio", "pulseaudio-utils": "pactl", "libportaudio2": "", "libasound2-plugins": ""}

_ALSA_CONFIG = """
</usr/share/alsa/alsa.conf>
pcm.!default { type pulse hint { show on description "default" } }
ctl.!default { type pulse }
pcm.vs48 { type pulse device vs48 hint { show on description "vs48" } }
pcm.vs44 { type pulse device vs44 hint { show on description "vs44" } }
"""

Audio = npt.NDArray[np.float32]


def missing_packages() -> list[str]:
    """Debian packages that the sound card needs and this machine lacks."""
    missing = [package for package, program in _NEEDS.items() if program and not shutil.which(program)]
    if not list(Path("/usr/lib").glob("**/alsa-lib/libasound_module_pcm_pulse.so")):
        missing.append("libasound2-plugins")
    if not list(Path("/usr/lib").glob("**/libportaudio.so.2")):
        missing.append("libportaudio2")
    return missing


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for something that another process does."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{what}: not within {timeout_s} s")
        time.sleep(0.01)


class Recording:
    """What a sink plays, from when it is made."""

    def __init__(self, card: SoundCard, sink: str, rate: int) -> None:
        self._rate = rate
        self._raw = Path(tempfile.mkstemp(dir=card.folder, suffix=".raw")[1])
        with self._raw.open("wb") as file:
            self._process = subprocess.Popen(
                ["parec", f"--device={sink}.monitor", "--raw", "--format=float32le", f"--rate={rate}", "--channels=2",
                 "--latency-msec=5"],
                stdout=file, env=card.environ,
            )  # fmt: skip
        card.realtime(self._process.pid, 6)
        wait_until(lambda: self._raw.stat().st_size > 0, 5.0, "the recorder of the monitor")

    def stop(self) -> Audio:
        """Frames since the start, shape (frames, 2), and what is still on its way through the daemon."""
        ending = self._raw.stat().st_size + self._rate * 8 * 3 // 10
        wait_until(lambda: self._raw.stat().st_size >= ending, 5.0, "the end of the recording")
        self._process.terminate()
        self._process.wait()
        return np.fromfile(self._raw, dtype="<f4").reshape(-1, 2)


class SoundCard:
    """A PulseAudio daemon with the sinks ``vs48`` (48000 Hz, the default) and ``vs44`` (44100 Hz)."""

    def __init__(self) -> None:
        # a short path: a Unix socket's may have 108 bytes
        self.folder = Path(tempfile.mkdtemp(prefix="vsc-"))
        self.variables = {
            "XDG_RUNTIME_DIR": str(self.folder),
            "PULSE_RUNTIME_PATH": str(self.folder / "pulse"),
            "PULSE_STATE_PATH": str(self.folder / "state"),
            "PULSE_SERVER": f"unix:{self.folder}/native",
            "ALSA_CONFIG_PATH": str(self.folder / "asound.conf"),
        }
        self.environ = {**os.environ, **self.variables}
        self._keepers: dict[str, subprocess.Popen[bytes]] = {}
        self._modules: dict[str, str] = {}
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon and plug both sinks in."""
        for name in ("pulse", "state"):
            (self.folder / name).mkdir(mode=0o700)
        (self.folder / "asound.conf").write_text(_ALSA_CONFIG)
        self.start_daemon()

    def start_daemon(self) -> None:
        """Start the daemon, with both sinks plugged in."""
        environ = {name: value for name, value in self.environ.items() if name != "PULSE_SERVER"}
        self._daemon = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--system=false", "--use-pid-file=no",
             f"--log-target=file:{self.folder}/pulse.log",
             "-L", f"module-native-protocol-unix socket={self.folder}/native auth-anonymous=1",
             "-L", "module-always-sink"],
            env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(lambda: self._pactl("info", check=False) != "", 10.0, "the PulseAudio daemon")
        self.add("vs48", 48000)
        self.add("vs44", 44100)
        self._pactl("set-default-sink", "vs48")
        self._pactl("set-default-source", "vs48.monitor")
        self.realtime(self._daemon.pid, 8)

    def stop(self) -> None:
        """End every process that was started, and remove its files."""
        for process in (*self._keepers.values(), self._daemon):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill_daemon(self) -> None:
        """Kill the daemon: every device is gone, and every stream with it."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
            self._daemon = None
        for keeper in self._keepers.values():
            keeper.wait()
        self._keepers.clear()
        self._modules.clear()

    def add(self, sink: str, rate: int, latency_s: float = 0.005) -> None:
        """Plug a sink in, whose monitor has a reader of that latency: no client of it gets longer blocks."""
        self._modules[sink] = self._pactl(
            "load-module", "module-null-sink", f"sink_name={sink}", f"rate={rate}", "channels=2", "format=float32le",
            # without norewinds and a reader of low latency, a null sink renders up to 2 s at once: new streams stall
            "norewinds=1",
        ).strip()  # fmt: skip
        self._keep(sink, latency_s)

    def _keep(self, sink: str, latency_s: float = 0.005) -> None:
        """Read the monitor of a sink, so that it renders blocks of that length."""
        self._keepers[sink] = subprocess.Popen(
            ["parec", f"--device={sink}.monitor", "--raw", f"--latency-msec={round(latency_s * 1000)}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environ,
        )  # fmt: skip
        wait_until(lambda: f"{sink}.monitor" in self._pactl("list", "short", "source-outputs") or
                   "parec" in self._pactl("list", "source-outputs"), 5.0, "the reader of the monitor")  # fmt: skip
        self.realtime(self._keepers[sink].pid, 6)

    def kill(self, sink: str) -> None:
        """Unplug a sink."""
        keeper = self._keepers.pop(sink)
        keeper.terminate()
        keeper.wait()
        self._pactl("unload-module", self._modules.pop(sink))

    def restore(self) -> None:
        """Undo whatever a test has done: thaw or start the daemon, wake the sinks, plug in what was unplugged."""
        if self._daemon is None:
            self.start_daemon()
        self.freeze(False)
        for sink, rate in (("vs48", 48000), ("vs44", 44100)):
            if sink not in self._modules:
                self.add(sink, rate)
            self.stall(sink, False)
        self._pactl("set-default-sink", "vs48")
        self._pactl("set-default-source", "vs48.monitor")

    def listen_to(self, sink: str) -> None:
        """Make what a sink plays the default microphone."""
        self._pactl("set-default-source", f"{sink}.monitor")
        keeper = self._keepers.pop("vs48", None)
        if keeper is not None:  # what has read the default source before reads the new one now
            keeper.terminate()
            keeper.wait()
            self._keep("vs48")

    def speak_to(self, sink: str) -> None:
        """Make a sink the default output."""
        self._pactl("set-default-sink", sink)

    def move(self, sink: str) -> None:
        """Route every playing stream to a sink."""
        for line in self._pactl("list", "short", "sink-inputs").splitlines():
            self._pactl("move-sink-input", line.split("\t")[0], sink)

    def stall(self, sink: str, stalled: bool) -> None:
        """Suspend a sink: its streams stay active and get no blocks, without an error."""
        self._pactl("suspend-sink", sink, "1" if stalled else "0")

    def freeze(self, frozen: bool) -> None:
        """Stop the daemon in its tracks: even aborting a stream hangs until it goes on."""
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def freeze_for(self, seconds: float) -> None:
        """Stop the daemon in its tracks for a moment."""
        self.freeze(True)
        time.sleep(seconds)
        self.freeze(False)

    def sink_inputs(self) -> int:
        """Streams that play on it."""
        return len(self._pactl("list", "short", "sink-inputs").splitlines())

    def record(self, sink: str = "vs48", rate: int = 48000) -> Recording:
        """Record what a sink plays from now on."""
        return Recording(self, sink, rate)

    @contextlib.contextmanager
    def playing(self, mono: Audio, rate: int, sink: str = "vs48", latency_s: float = 0.05) -> Iterator[None]:
        """Another program plays into a sink."""
        raw = Path(tempfile.mkstemp(dir=self.folder, suffix=".raw")[1])
        raw.write_bytes(mono.astype("<f4").tobytes())
        process = subprocess.Popen(
            ["pacat", "--playback", f"--device={sink}", "--raw", "--format=float32le", f"--rate={rate}",
             "--channels=1", f"--latency-msec={round(latency_s * 1000)}", str(raw)],
            env=self.environ,
        )  # fmt: skip
        self.realtime(process.pid, 6)
        try:
            yield
        finally:
            process.terminate()
            process.wait()

    def realtime(self, pid: int, priority: int) -> None:
        """Give a process realtime priority where that is allowed: shared cores add gaps of their own without it."""
        if shutil.which("chrt"):
            subprocess.run(
                ["chrt", "-f", "-a", "-p", str(priority), str(pid)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
            )  # fmt: skip

    def _pactl(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(["pactl", *words], env=self.environ, capture_output=True, text=True, timeout=10)
        if check and done.returncode:
            raise RuntimeError(f"pactl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout if done.returncode == 0 else ""


@functools.cache
def _card_of_this_session() -> SoundCard:
    card = SoundCard()
    card.start()
    return card


@pytest.fixture(scope="session")
def sound_card_daemon() -> Iterator[SoundCard]:
    """The one sound card of the session."""
    missing = missing_packages()
    if missing:
        pytest.skip(f"no virtual sound card: apt-get install {' '.join(missing)}")
    card = _card_of_this_session()
    yield card
    card.stop()
    _card_of_this_session.cache_clear()


@pytest.fixture
def sound_card(sound_card_daemon: SoundCard, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundCard]:
    """The sound card, intact, as the only one that PortAudio sees in this process while the test runs."""
    from sottovoce.audio.portaudio import portaudio_host

    for name, value in sound_card_daemon.variables.items():
        monkeypatch.setenv(name, value)
    sound_card_daemon.restore()
    assert portaudio_host().refresh(), "a test before this one has left a stream open"
    yield sound_card_daemon
    sound_card_daemon.freeze(False)
