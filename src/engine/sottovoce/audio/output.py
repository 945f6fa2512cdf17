"""Where a mixer's sound goes: a device here, a file in ``wav.py``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Protocol

from sottovoce.audio.bluetooth import looks_bluetooth
from sottovoce.audio.host import Device, Host
from sottovoce.audio.lifecycle import LifecyclePolicy
from sottovoce.audio.negotiate import Latency, StreamConfig, StreamRate, negotiate
from sottovoce.audio.portaudio import portaudio_host
from sottovoce.audio.report import StreamReport
from sottovoce.audio.rest import RestWatch
from sottovoce.audio.stream import StreamKeeper
from sottovoce.core.errors import ConfigError, StreamError
from sottovoce.native.callback import PlaybackCallback
from sottovoce.native.mixer import Mixer

#: How long the sound waits for a Bluetooth device to wake up.
_BLUETOOTH_LEAD_IN_S = 0.3


class Feed(Protocol):
    """What an output plays."""

    @property
    def mixer(self) -> Mixer: ...

    def has_audio(self) -> bool:
        """Whether the next block would hold sound, or acknowledge a flush."""
        ...

    def progressed(self) -> None:
        """Said by an output that is not paced, after each block: whoever waits for room looks again."""
        ...


class Output(Protocol):
    """Takes blocks from a mixer. Used in this order: negotiate, start, close."""

    @property
    def live(self) -> bool:
        """Whether it plays in real time; if not, closing it still takes all that is queued."""
        ...

    @property
    def blocksize(self) -> int:
        """Frames of a block."""
        ...

    @property
    def latency_s(self) -> float:
        """From a block leaving the mixer to its first frame being heard, in seconds."""
        ...

    @property
    def failure(self) -> Exception | None:
        """Why it takes nothing more, if that is so for good."""
        ...

    def negotiate(self, samplerate: int, channels: int) -> tuple[int, int]:
        """Samplerate (Hz) and channels that a mixer for it should have, given those of the content."""
        ...

    def start(self, feed: Feed) -> None: ...

    def wake(self, *, soon: bool = False) -> None:
        """There may be something new to play, or (``soon``) there will be; returns at once."""
        ...

    def close(self) -> None: ...

    def report(self) -> StreamReport: ...

    def newest_block(self) -> tuple[int, int]:
        """Generation of its stream, and when its newest block began (ns); (0, 0) where nobody waits for one."""
        ...


@dataclass(frozen=True, slots=True)
class SleepPolicy:
    """What is done about devices that sleep while nothing sounds, and swallow the beginning of what comes next.

    Attributes
    ----------
    lead_in_s : float, optional
        Seconds for which sound is held back after the stream was opened and after each long silence; unless given, 0.3
        for a device whose name says that it is a Bluetooth device, and none for others.
    sleeps_after_s : float
        How long, in seconds, such a silence is.
    keep_warm : bool, optional
        Whether silence is noise of -89 dBFS, which nobody hears, so that the device does not fall asleep; unless given,
        for a Bluetooth device.
    rests_after_s : float, optional
        How long a silence, in seconds above 0, closes the stream until something is to be played; unless given, the
        stream runs all the time. So it does on a device with a lead-in, or kept warm, in any case.
    """

    lead_in_s: float | None = None
    sleeps_after_s: float = 5.0
    keep_warm: bool | None = None
    rests_after_s: float | None = None

    def __post_init__(self) -> None:
        for key, value, most in (("lead_in_s", self.lead_in_s, 60.0), ("sleeps_after_s", self.sleeps_after_s, 86400.0)):
            if value is not None and not 0.0 <= value <= most:
                raise ConfigError(f"{key} is {value}; allowed: 0 to {most:g} seconds", key=key)
        if self.rests_after_s is not None and not self.rests_after_s > 0.0:
            raise ConfigError(f"rests_after_s is {self.rests_after_s}; allowed: above 0, None", key="rests_after_s")

    def apply(self, callback: PlaybackCallback, device: Device) -> None:
        """Prepare the callback of a stream on a device."""
        callback.keep_awake(self._lead_in_on(device), self.sleeps_after_s, self._keeps_warm(device))

    def rest_on(self, device: Device) -> RestWatch | None:
        """Watches a stream on a device for when it may rest; None if it may not."""
        if self.rests_after_s is None or self._lead_in_on(device) > 0.0 or self._keeps_warm(device):
            return None
        return RestWatch(self.rests_after_s)

    def _lead_in_on(self, device: Device) -> float:
        if self.lead_in_s is not None:
            return self.lead_in_s
        return _BLUETOOTH_LEAD_IN_S if looks_bluetooth(device.name) else 0.0

    def _keeps_warm(self, device: Device) -> bool:
        return looks_bluetooth(device.name) if self.keep_warm is None else self.keep_warm


@dataclass(frozen=True, slots=True)
class _RestsInSilence:
    """Whether the stream of a feed may rest."""

    sleep: SleepPolicy
    feed: Feed

    def watch(self, device: Device) -> RestWatch | None:
        return self.sleep.rest_on(device)

    def wanted(self) -> bool:
        return self.feed.has_audio()


class DeviceOutput:
    """An audio device, kept playing over its losses.

    Parameters
    ----------
    device : int, str or None
        Id, name or part of a name; None for the default output.
    blocksize : int
        Frames of a block.
    latency : float or {"auto", "low", "high"}
        Wanted output latency in seconds, the host's suggestion, or "auto": starts low and grows while the device
        starves.
    prefer_stream_rate : {"content", "device"}
        Whether the stream opens at the content's rate (the system may resample) or at the device's (we do).
    policy : LifecyclePolicy, optional
        How eagerly a lost stream is opened again, and whether a device that is not there yet is waited for.
    sleep : SleepPolicy, optional
        What is done about a device that sleeps.
    host : Host, optional
        The audio system; PortAudio unless given.
    """

    live = True
    failure: Exception | None = None

    def __init__(
        self,
        device: int | str | None = None,
        *,
        blocksize: int = 256,
        latency: Latency = "low",
        prefer_stream_rate: StreamRate = "content",
        policy: LifecyclePolicy | None = None,
        sleep: SleepPolicy | None = None,
        host: Host | None = None,
    ) -> None:
        self._host = host
        self._config = StreamConfig(
            kind="output",
            samplerate=48000,
            channels=2,
            device=device,
            blocksize=blocksize,
            latency=latency,
            prefer_stream_rate=prefer_stream_rate,
            policy=policy or LifecyclePolicy(),
        )
        self._sleep = sleep or SleepPolicy()
        self._feed: Feed | None = None
        self._keeper: StreamKeeper | None = None
        self._callback: PlaybackCallback | None = None

    @property
    def blocksize(self) -> int:
        """Frames of a block."""
        return self._config.blocksize

    @property
    def latency_s(self) -> float:
        """From a block leaving the mixer to its first frame being heard, in seconds; 0 while no stream is open."""
        # what the newest block was told is nearer to the truth than what the stream was opened with, if it is known
        told_ns = self._callback.dac_delay_ns if self._callback else 0
        if told_ns or self._keeper is None:
            return told_ns / 1e9
        return self._keeper.latency_s

    def negotiate(self, samplerate: int, channels: int) -> tuple[int, int]:
        """Samplerate (Hz) and channels at which the device says that it can be opened, the nearest to those asked for.

        Raises
        ------
        DeviceError
            If there is no such device, or PortAudio is missing.
        """
        self._config = dataclasses.replace(self._config, samplerate=samplerate, channels=channels)
        return negotiate(self._require_host(), self._config)

    def start(self, feed: Feed) -> None:
        """Open the device and play what ``feed`` has.

        Raises
        ------
        DeviceError
            If there is no such device, or it cannot be opened.
        """
        mixer = feed.mixer

        def make(generation: int, samplerate: int, channels: int, device: Device) -> PlaybackCallback:
            self._callback = PlaybackCallback(mixer, generation, samplerate, channels)
            self._sleep.apply(self._callback, device)
            if mixer.rendered_frames and not keeper.rested:  # in mid-utterance, perhaps
                self._callback.fade_in()
            return self._callback

        self._feed = feed
        self._keeper = keeper = StreamKeeper(
            dataclasses.replace(self._config, samplerate=mixer.samplerate, channels=mixer.channels),
            make,
            self._require_host(),
            rests=_RestsInSilence(self._sleep, feed),
        )
        keeper.start()

    def wake(self, *, soon: bool = False) -> None:
        """Open the stream if it rests and there is something to play, or (``soon``) there will be; returns at once."""
        keeper, feed = self._keeper, self._feed
        if keeper is not None and feed is not None and keeper.resting and (soon or feed.has_audio()):
            keeper.wake()

    def recreate(self, reason: str) -> None:
        """Open the stream anew on the device that is right now; returns at once."""
        self._started().recreate(reason)

    def move_to(self, device: Device) -> None:
        """Go on on another device from now on; returns at once."""
        self._started().move_to(device)

    def close(self) -> None:
        """Give the device back, within about two seconds whatever the sound system does."""
        if self._keeper:
            self._keeper.close()

    def report(self) -> StreamReport:
        """A picture of the stream as it is now."""
        return self._started().report()

    def newest_block(self) -> tuple[int, int]:
        """Generation of the stream, and when its newest block began (ns); (0, 0) while there is none."""
        return self._keeper.newest_block() if self._keeper else (0, 0)

    def _started(self) -> StreamKeeper:
        if self._keeper is None:
            raise StreamError("the output was never started")
        return self._keeper

    def _require_host(self) -> Host:
        if self._host is None:
            self._host = portaudio_host()
        return self._host
