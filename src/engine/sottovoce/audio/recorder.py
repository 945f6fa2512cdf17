"""Streaming capture that neither the GIL nor a lost device interrupts."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from sottovoce.audio.align import Capture
from sottovoce.audio.devices import check_direction
from sottovoce.audio.host import Device, Host
from sottovoce.audio.lifecycle import LifecyclePolicy
from sottovoce.audio.negotiate import Latency, StreamConfig, StreamRate, negotiate
from sottovoce.audio.portaudio import portaudio_host
from sottovoce.audio.report import StreamReport
from sottovoce.audio.resampler import Resampler
from sottovoce.audio.stream import StreamKeeper
from sottovoce.core.errors import ConfigError, StreamError
from sottovoce.core.formats import as_block, check_channels, check_samplerate
from sottovoce.core.types import Block
from sottovoce.core.units import s_to_frames
from sottovoce.native.activity import Activity
from sottovoce.native.callback import CaptureCallback
from sottovoce.native.ring import Ring

#: Bounds of one wait, and of what is waited for a block that is late: a long one may end at any moment.
_LEAST_WAIT_S, _MOST_WAIT_S, _LONG_BLOCK_S = 0.002, 0.25, 0.01

#: How punctual a block is, at best.
_SLACK_S = 0.001


@dataclass(frozen=True, slots=True)
class RecorderSnapshot:
    """A picture of a Recorder, taken without a lock on the audio path.

    ``backlog_s`` of at most ``buffer_s`` are captured and not read yet; ``overruns`` are frames that were lost.
    """

    samplerate: int
    channels: int
    captured_s: float
    backlog_s: float
    overruns: int
    buffer_s: float
    stream: StreamReport
    #: How often somebody began to speak, and in how many blocks somebody spoke; counted while a player yields to it.
    activity: Mapping[str, int] = field(default_factory=dict)


class Recorder:
    """Captures audio from a device.

    The device's callback is compiled and never needs the GIL: your code may be late by ``buffer_s`` before a frame
    is lost. Use it as a context manager.

    Parameters
    ----------
    samplerate : int
        Rate of what is read, in Hz.
    channels : int
        Channels of what is read: 1 is the mean of the device's two.
    device : int, str or None
        Id, name or part of a name of the input; None for the default one.
    blocksize : int
        Frames of a block of the device.
    block_s : float, optional
        In the place of ``blocksize``: the least length of a block in seconds, at whatever rate the device has. Longer
        blocks wake the machine less often; as long as what is read at once, they delay nothing.
    latency : float or {"auto", "low", "high"}
        Wanted input latency in seconds, the system's suggestion, or "auto": starts low and grows while the device
        starves.
    buffer_s : float
        Seconds that are held until they are read.
    prefer_stream_rate : {"device", "content"}
        Whether the stream opens at the device's rate and is resampled here by soxr (what speech recognition wants:
        some systems resample poorly), or at ``samplerate``.
    policy : LifecyclePolicy, optional
        How eagerly a lost stream is opened again, and whether a device that is not there yet is waited for.
    host : Host, optional
        The audio system; PortAudio unless given.

    Raises
    ------
    ConfigError
        (a ValueError) if an argument is not allowed.

    Examples
    --------
    >>> with Recorder(16000) as recorder:            # doctest: +SKIP
    ...     while heard := recorder.read(1600):
    ...         listen(heard)
    """

    def __init__(
        self,
        samplerate: int = 16000,
        channels: int = 1,
        *,
        device: int | str | None = None,
        blocksize: int = 256,
        block_s: float | None = None,
        latency: Latency = "low",
        buffer_s: float = 10.0,
        prefer_stream_rate: StreamRate = "device",
        policy: LifecyclePolicy | None = None,
        host: Host | None = None,
    ) -> None:
        self.samplerate = check_samplerate(samplerate)
        self.channels = check_channels(channels)
        if not buffer_s > 0.0:
            raise ConfigError(f"buffer_s is {buffer_s}; it must be above 0", key="buffer_s")
        self.buffer_s = buffer_s
        self._config = StreamConfig(
            kind="input",
            samplerate=self.samplerate,
            channels=self.channels,
            device=device,
            blocksize=blocksize,
            latency=latency,
            prefer_stream_rate=prefer_stream_rate,
            policy=policy or LifecyclePolicy(),
            block_s=block_s,
        )
        #: Whether somebody speaks; computed while a player wants to know, see :meth:`Player.yield_to`.
        self.activity = Activity()
        self._host = host
        self._changed = threading.Condition()
        self._read_lock = threading.Lock()
        self._closed = False
        self._keeper: StreamKeeper | None = None
        self._ring: Ring | None = None
        self._ring_samplerate = 0
        self._resampler: Resampler | None = None
        self._ready = np.empty((0, self.channels), dtype=np.float32)

    def start(self) -> None:
        """Open the device and begin to capture.

        Raises
        ------
        DeviceError
            If there is no device, PortAudio is missing, or the system refuses; its ``hint`` says what to do.
        StreamError
            If the recorder was started before.
        """
        if self._keeper is not None or self._closed:
            raise StreamError("the recorder was started before", hint="make a new one")
        host = self._host or portaudio_host()
        ring_samplerate, _ = negotiate(host, self._config)
        ring = Ring(s_to_frames(self.buffer_s, ring_samplerate), self.channels)
        if ring_samplerate != self.samplerate:
            self._resampler = Resampler(ring_samplerate, self.samplerate, self.channels)
        keeper = StreamKeeper(
            self._config,
            lambda generation, samplerate, channels, _: CaptureCallback(
                ring, samplerate, channels, ring_samplerate, generation, activity=self.activity
            ),
            host,
        )
        keeper.start()
        self._ring, self._ring_samplerate, self._keeper = ring, ring_samplerate, keeper

    def close(self) -> None:
        """Give the device back, within about two seconds whatever the sound system does; a second call does nothing."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        if self._keeper is not None:
            self._keeper.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def read(self, frames: int, timeout_s: float | None = None, *, more: bool = False) -> Block:
        """The next frames, waiting for them.

        Parameters
        ----------
        frames : int
            How many.
        timeout_s : float, optional
            Longest wait in seconds; no limit unless given.
        more : bool
            Whether all that has come by then is wanted, if it is more.

        Returns
        -------
        Block
            float32, shape (frames, channels); shorter after a timeout or once the recorder is closed, then down to
            no frames at all.

        Raises
        ------
        StreamError
            If the recorder was not started.
        """
        ring = self._started_ring()
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        with self._read_lock:
            while True:
                self._take(ring)
                missing = frames - self._ready.shape[0]
                left_s = _MOST_WAIT_S if deadline_s is None else deadline_s - time.monotonic()
                if missing <= 0 or left_s <= 0.0 or self._closed:
                    break
                with self._changed:
                    if not self._closed:
                        self._changed.wait(min(left_s, _MOST_WAIT_S, self._due_in_s(missing)))
            end = max(frames, self._ready.shape[0]) if more else frames
            taken, self._ready = self._ready[:end], self._ready[end:]
            return taken

    def capture(self) -> Capture | None:
        """How much was captured so far, and when the newest of it came; None while that is not known.

        For whoever puts several recorders on one clock. A block that comes just now may count as late by its length;
        it never counts as early.
        """
        if self._keeper is None or self._ring is None:
            return None
        generation, at_ns = self._keeper.newest_block()
        captured_s = self._ring.written_frames / self._ring_samplerate
        if not at_ns or self._keeper.newest_block() != (generation, at_ns):
            return None
        return Capture((generation, 0), captured_s, at_ns)

    @property
    def backlog_s(self) -> float:
        """Seconds that were captured and not read yet: how old the next frame is, :attr:`latency_s` apart."""
        waiting = self._started_ring().readable_frames / self._ring_samplerate
        return waiting + self._ready.shape[0] / self.samplerate

    @property
    def latency_s(self) -> float:
        """From a sound reaching the device to it being captured, in seconds, as the system reports it."""
        return self._keeper.latency_s if self._keeper else 0.0

    @property
    def overruns(self) -> int:
        """Frames lost since the start because nobody read them in time."""
        return self._overruns(self.stream_report().counters)

    def stream_report(self) -> StreamReport:
        """A picture of the stream alone."""
        if self._keeper is None:
            raise StreamError("the recorder was not started", hint="use it in a with statement, or call start()")
        return self._keeper.report()

    def recreate(self, reason: str) -> None:
        """Open the stream anew on the device that is right now; returns at once."""
        if self._keeper is not None:
            self._keeper.recreate(reason)

    def move_to(self, device: Device) -> None:
        """Capture from another device from now on; returns at once.

        Parameters
        ----------
        device : Device
            As :func:`sottovoce.audio.devices.list_devices` or :func:`sottovoce.audio.afresh.devices_afresh` gives it.

        Raises
        ------
        DeviceNotFoundError
            If it cannot capture.
        StreamError
            If the recorder was not started.
        """
        check_direction(device, "input")
        if self._keeper is None:
            raise StreamError("the recorder was not started", hint="use it in a with statement, or call start()")
        self._keeper.move_to(device)

    def snapshot_state(self) -> RecorderSnapshot:
        """A picture of the recorder as it is now."""
        report = self.stream_report()
        return RecorderSnapshot(
            samplerate=self.samplerate,
            channels=self.channels,
            captured_s=self._started_ring().written_frames / self._ring_samplerate,
            backlog_s=self.backlog_s,
            overruns=self._overruns(report.counters),
            buffer_s=self.buffer_s,
            stream=report,
            activity=self.activity.counters(),
        )

    def _due_in_s(self, frames: int) -> float:
        """How long to wait for so many frames: nothing new comes before the next block."""
        block_s, next_s = self._keeper.next_block() if self._keeper else (0.0, 0.0)
        if block_s <= _LONG_BLOCK_S:  # hosts deliver short ones in bursts, when they like
            return max(_LEAST_WAIT_S, block_s, frames / self.samplerate)
        blocks = math.ceil(round(frames / self.samplerate / block_s, 6))
        wait_s = next_s + (blocks - 1) * block_s + _SLACK_S
        return wait_s if wait_s > 0.0 else max(_LEAST_WAIT_S, min(block_s, -wait_s))

    @staticmethod
    def _overruns(counters: Mapping[str, int]) -> int:
        return counters.get("overrun_frames", 0)

    def _take(self, ring: Ring) -> None:
        """Move what the ring holds to where it is read from, at the rate wanted."""
        readable = ring.readable_frames
        if not readable:
            return
        block = np.empty((readable, self.channels), dtype=np.float32)
        block = block[: ring.read_into(block)]
        if self._resampler is not None:
            block = as_block(self._resampler.process(block), self.channels)
        self._ready = np.concatenate([self._ready, block]) if self._ready.shape[0] else block

    def _started_ring(self) -> Ring:
        if self._ring is None:
            raise StreamError("the recorder was not started", hint="use it in a with statement, or call start()")
        return self._ring
