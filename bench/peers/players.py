"""The same player three times: ours, a NumPy callback under sounddevice, and rtmixer; each measured by a probe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import numpy.typing as npt

from bench.peers.card import SAMPLERATE, SINK
from bench.peers.probe import Probe, ProbedHost, probed_sounddevice
from bench.reference import NumpyCallback, Playing

if TYPE_CHECKING:
    from sottovoce.app.monitor.look import Look

Float = npt.NDArray[np.float32]

BLOCKSIZE = 256
CHANNELS = 2
#: The same for all three: enough that a shared machine keeps up with it.
LATENCY_S = 0.1
FADE_FRAMES = 240

_PATIENCE_S = 60.0


class Player(Protocol):
    """Plays signals of shape (frames, 2) at 48 kHz on the virtual sound card, from when it is made."""

    probe: Probe

    def play(self, signals: Sequence[Float]) -> None:
        """Play all of them at once, from memory, from now on."""
        ...

    def flush(self) -> None:
        """Silence what plays; returns at once."""
        ...

    def close(self) -> None: ...


class Ours:
    """sottovoce, as its user sees it."""

    def __init__(self, seconds: float) -> None:
        from sottovoce.audio.output import DeviceOutput
        from sottovoce.audio.player import Player
        from sottovoce.audio.portaudio import portaudio_host

        self.probe = _probe(seconds)
        host = ProbedHost(portaudio_host(), self.probe)
        output = DeviceOutput(SINK, blocksize=BLOCKSIZE, latency=LATENCY_S, host=host)
        self._player = Player(SAMPLERATE, CHANNELS, output=output)
        self._player.start()
        self.sources = [self._player.open_source(channels=CHANNELS, buffer_s=seconds)]

    def play(self, signals: Sequence[Float]) -> None:
        while len(self.sources) < len(signals):
            buffer_s = len(signals[0]) / SAMPLERATE
            self.sources.append(self._player.open_source(channels=CHANNELS, buffer_s=buffer_s))
        for source, signal in zip(self.sources, signals, strict=True):
            source.write(signal)

    def flush(self) -> None:
        for source in self.sources:
            source.flush()

    @property
    def flush_p95_ms(self) -> float:
        """From a flush to its acknowledgement, as the player itself has counted."""
        return self._player.mixer.flush_latencies.percentile_ns(95) / 1e6

    def look(self) -> Look:
        """What a page that watches it is shown."""
        from sottovoce.app.monitor.look import Look

        return Look(time.monotonic_ns(), self._player.snapshot_state())

    def close(self) -> None:
        self._player.close()


class FadingCallback(NumpyCallback):
    """The NumPy callback with a flush: a fade over what would have come, then silence."""

    def __init__(self, channels: int) -> None:
        super().__init__([], channels)
        self.flushing = threading.Event()
        self._ramp = np.linspace(1.0, 0.0, FADE_FRAMES, dtype=np.float32)[:, None]

    def __call__(self, outdata: Float, frames: int, time: object, status: object) -> None:
        super().__call__(outdata, frames, time, status)
        if self.flushing.is_set():
            self.flushing.clear()
            self.sources = []
            outdata[:FADE_FRAMES] *= self._ramp[:frames]
            outdata[FADE_FRAMES:] = 0.0


class NumPy:
    """A NumPy callback under sounddevice, as it is usually written."""

    def __init__(self, seconds: float) -> None:
        self.probe = _probe(seconds)
        self._callback = FadingCallback(CHANNELS)
        with probed_sounddevice(self.probe) as sd:
            self._stream = sd.OutputStream(
                SAMPLERATE, BLOCKSIZE, SINK, CHANNELS, "float32", LATENCY_S, callback=self._callback
            )
        self._stream.start()

    def play(self, signals: Sequence[Float]) -> None:
        self._callback.sources = [Playing(signal) for signal in signals]

    def flush(self) -> None:
        self._callback.flushing.set()

    def close(self) -> None:
        self._stream.close()


class RtMixer:
    """rtmixer: a callback in C, too."""

    def __init__(self, seconds: float) -> None:
        self.probe = _probe(seconds)
        with probed_sounddevice(self.probe):
            import rtmixer  # type: ignore[import-untyped,import-not-found,unused-ignore]

            self._mixer = rtmixer.Mixer(
                device=SINK, channels=CHANNELS, samplerate=SAMPLERATE, blocksize=BLOCKSIZE, latency=LATENCY_S
            )
        self._mixer.start()

    def play(self, signals: Sequence[Float]) -> None:
        self._actions = [self._mixer.play_buffer(signal, CHANNELS) for signal in signals]

    def flush(self) -> None:
        for action in self._actions:
            self._mixer.cancel(action)

    def close(self) -> None:
        self._mixer.close()


#: The three by the names that figures begin with.
PLAYERS: dict[str, Callable[[float], Player]] = {"ours": Ours, "numpy": NumPy, "rtmixer": RtMixer}


class Sounding:
    """A player while it is in use; ``seconds`` is the most that it will play."""

    def __init__(self, name: str, seconds: float) -> None:
        self.player = PLAYERS[name](seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.player.close()

    def wait(self, condition: Callable[[Probe], bool], what: str) -> None:
        """Wait for something that the probe will see."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while not condition(self.player.probe):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{type(self.player).__name__}: {what}: not within {_PATIENCE_S:.0f} s")
            time.sleep(0.001)


def _probe(seconds: float) -> Probe:
    return Probe(CHANNELS, round(2 * seconds * SAMPLERATE / BLOCKSIZE))
