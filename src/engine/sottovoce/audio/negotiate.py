"""What a stream is wanted to be, and what a device can be opened with."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sottovoce.audio.devices import select_device
from sottovoce.audio.host import Device, Host, Kind
from sottovoce.audio.lifecycle import LifecyclePolicy
from sottovoce.core.errors import ConfigError, DeviceNotFoundError
from sottovoce.core.log import get_logger, log_event
from sottovoce.native.mixer import MAX_BLOCKSIZE

_logger = get_logger("audio")

Latency: TypeAlias = float | Literal["auto", "low", "high"]
StreamRate: TypeAlias = Literal["content", "device"]

#: The longest block that may be asked for in seconds.
MAX_BLOCK_S = 1.0

#: What most devices run at, in Hz.
_USUAL_SAMPLERATE = 48000


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """What a stream is wanted to be.

    ``samplerate`` (Hz) and ``channels`` are those of the content; a device that refuses them is opened with its own.
    ``latency`` is in seconds, the host's suggestion by name, or "auto": what the device turns out to need.
    ``block_s`` is the least length of a block in seconds, in the place of ``blocksize``, at whatever samplerate the
    stream has.
    """

    kind: Kind
    samplerate: int
    channels: int
    device: int | str | None = None
    blocksize: int = 256
    latency: Latency = "low"
    prefer_stream_rate: StreamRate = "content"
    policy: LifecyclePolicy = field(default_factory=LifecyclePolicy)
    block_s: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.blocksize <= MAX_BLOCKSIZE:
            raise ConfigError(f"blocksize is {self.blocksize}; allowed: 1 to {MAX_BLOCKSIZE} frames", key="blocksize")
        if self.block_s is not None and not 0.0 < self.block_s <= MAX_BLOCK_S:
            raise ConfigError(f"block_s is {self.block_s!r}; allowed: above 0, to {MAX_BLOCK_S:g} s", key="block_s")
        latency = self.latency
        if latency not in ("auto", "low", "high") and not (isinstance(latency, float | int) and latency > 0.0):
            raise ConfigError(f"latency is {latency!r}; allowed: 'auto', 'low', 'high', seconds above 0", key="latency")
        check_choice("prefer_stream_rate", self.prefer_stream_rate, ("content", "device"))

    def block_frames(self, samplerate: int) -> int:
        """Frames of a block of a stream of that samplerate (Hz)."""
        if self.block_s is None:
            return self.blocksize
        # rounded up: what waits for a whole block of its own must not wait for the last frame of it
        return min(math.ceil(round(self.block_s * samplerate, 6)), MAX_BLOCKSIZE)


def check_choice(key: str, value: str, allowed: tuple[str, ...]) -> None:
    """A :class:`ConfigError` that names ``key`` if ``value`` is not among those allowed."""
    if value not in allowed:
        raise ConfigError(f"{key} is {value!r}; allowed: {', '.join(map(repr, allowed))}", key=key)


def formats_to_try(config: StreamConfig, device: Device) -> tuple[tuple[int, int], ...]:
    """Samplerates (Hz) and channel counts to open a device with, best first (SPEC A13)."""
    rates = [config.samplerate, device.default_samplerate]
    if config.prefer_stream_rate == "device":
        rates.reverse()
    most = device.channels(config.kind)
    wanted = min(config.channels, most)
    # some hosts take a device's whole channel count only
    counts = [wanted] if most > 8 else [wanted, most]
    return tuple(dict.fromkeys((rate, count) for count in counts for rate in rates if rate > 0))


def find_on(host: Host, config: StreamConfig) -> Device:
    """The device that a stream is to start on, from a fresh list."""
    host.refresh(max_age_s=1.0)
    return select_device(host.devices(), config.device, config.kind)


def negotiate(host: Host, config: StreamConfig) -> tuple[int, int]:
    """Samplerate (Hz) and channels at which the device says that it can be opened, the best of those to try.

    Of a device that is waited for, nothing is known yet: 48000 Hz stands for a rate of its own.

    Raises
    ------
    DeviceNotFoundError
        If there is no such device, and it is not to be waited for, or if more than one fits.
    """
    try:
        device = find_on(host, config)
    except DeviceNotFoundError as error:
        if error.fitting or not config.policy.wait_for_device:
            raise
        return config.samplerate if config.prefer_stream_rate == "content" else _USUAL_SAMPLERATE, config.channels
    formats = formats_to_try(config, device)
    for samplerate, channels in formats:
        if host.supports(config.kind, device.id, samplerate, channels):
            tell_fallback(config, device, samplerate)
            return samplerate, channels
    return formats[0]  # opening it will say why not


def tell_fallback(config: StreamConfig, device: Device, samplerate: int) -> bool:
    """Log that the content is resampled though that was not wanted (SPEC A14); whether that is so."""
    if samplerate == config.samplerate or config.prefer_stream_rate == "device":
        return False
    fields = {"content_samplerate": config.samplerate, "stream_samplerate": samplerate, "device": device.name}
    log_event(_logger, logging.WARNING, "the device refuses the content's samplerate: resampling", **fields)
    return True
