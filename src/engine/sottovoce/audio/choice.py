"""Which device a stream is opened on, and a look for the one that was asked for while it is not in use.

The host's list can be renewed only while no stream is open (PortAudio), so a device that comes while others of this
process play or record is not in it. Then another process looks (``afresh.py``), and if it sees the device, all
streams are closed for a moment, together, and opened again from a new list.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence

from sottovoce.audio.devices import select_device
from sottovoce.audio.host import Device, Host
from sottovoce.audio.negotiate import StreamConfig, find_on
from sottovoce.core.errors import DeviceError, DeviceNotFoundError

_NS = 1_000_000_000

#: How long after a device is missed another process looks for it, and then again and again, ever less often.
_FIRST_LOOK_S, _LAST_LOOK_S = 2.0, 30.0

#: How long streams that are closed together wait for each other.
_GATHER_LIMIT_S = 1.0


class Gathering:
    """All streams of this process, closed at the same time so that the host can look for devices."""

    def __init__(self) -> None:
        self._closed = threading.Condition()
        self._until_s = 0.0

    def begin(self) -> None:
        """From now on, whoever opens a stream waits a while for the others to be closed."""
        with self._closed:
            self._until_s = time.monotonic() + _GATHER_LIMIT_S

    def closed_one(self) -> None:
        """A stream was closed."""
        with self._closed:
            self._closed.notify_all()

    def renew(self, host: Host, max_age_s: float = 0.0) -> bool:
        """Renew the host's list unless it is younger than ``max_age_s``, waiting for the others if a gathering has
        begun; False if a stream is still open.
        """
        with self._closed:
            renewed = host.refresh(max_age_s=max_age_s)
            while not renewed and time.monotonic() < self._until_s:
                self._closed.wait(min(0.1, max(0.001, self._until_s - time.monotonic())))
                renewed = host.refresh(max_age_s=_GATHER_LIMIT_S)
            return renewed


#: That of this process: it has one PortAudio.
GATHERING = Gathering()


class DeviceChoice:
    """Chooses the device of one stream.

    Parameters
    ----------
    host : Host
        Has the devices.
    config : StreamConfig
        Says which one is meant.
    """

    def __init__(self, host: Host, config: StreamConfig) -> None:
        self._host = host
        self._config = config
        #: Name and host API of the device that was asked for: ids do not survive a refresh of the host's list.
        self._asked: tuple[str, str] | None = None
        #: How often another device was asked for while the stream ran.
        self.moves = 0

    def to_start_on(self) -> tuple[Device, ...]:
        """The device that is meant.

        Raises
        ------
        DeviceNotFoundError
            If it is not there, or if more than one fits.
        """
        device = find_on(self._host, self._config)
        self._remember(device)
        return (device,)

    def to_go_on_with(self, max_age_s: float = 0.0) -> tuple[Device, ...]:
        """The device that was asked for, if it is in the list, and the default one where it may stand in, best first.

        While another stream of this process is open, the list cannot be renewed: it may show devices that are gone,
        and not those that have come. Nor is it if it is younger than ``max_age_s``.
        """
        renewed = GATHERING.renew(self._host, max_age_s)
        devices = self._host.devices()
        config = self._config
        if config.device is not None and self._asked is None:  # waited for since the start
            asked = select_device(devices, config.device, config.kind)
            self._remember(asked)
            return (asked,)
        usable = [device for device in devices if device.channels(config.kind)]
        found = [device for device in usable if self.is_asked(device)]
        if self._asked is not None and not config.policy.stand_in:
            if not found:
                raise DeviceNotFoundError(
                    f"{config.kind} device {self._asked[0]!r} is not there, and no other may stand in for it",
                    hint="connect it again",
                )
            return tuple(found)
        try:
            default = select_device(usable, None, config.kind)
        except DeviceNotFoundError as error:
            if not found:
                because = "" if renewed else "; new ones are seen once the other streams are closed"
                raise DeviceNotFoundError(f"{error.message}{because}", hint=error.hint) from error
        else:
            if default not in found:
                found.append(default)
        return tuple(found)

    def ask_for(self, device: Device) -> bool:
        """From now on, this device is meant; whether it is in the list of this process."""
        self._config = dataclasses.replace(self._config, device=device.name)
        self._remember(device)
        self.moves += 1
        return any(self.is_asked(each) for each in self._host.devices())

    def is_asked(self, device: Device) -> bool:
        """Whether a device is the one that was asked for by name."""
        return (device.name, device.host_api) == self._asked

    def is_second_best(self, device: Device) -> bool:
        """Whether a device only stands in for the one that was asked for."""
        return self._asked is not None and not self.is_asked(device)

    def is_among(self, devices: Sequence[Device]) -> bool:
        """Whether the device that is meant is there."""
        if self._asked is not None:
            return any(self.is_asked(device) and device.channels(self._config.kind) for device in devices)
        try:
            select_device(devices, self._config.device, self._config.kind)
        except DeviceError:
            return False
        return True

    def _remember(self, device: Device) -> None:
        if self._config.device is not None:
            self._asked = (device.name, device.host_api)


class ArrivalWatch:
    """When to look for a device that is missed: soon, and then ever less often. Time is given; nothing is done here."""

    def __init__(self) -> None:
        self._next_ns = 0
        self._pause_s = 0.0

    def due(self, missed: bool, now_ns: int) -> bool:
        """Whether to look now; to be asked often."""
        if not missed:
            self._pause_s = 0.0
            return False
        if not self._pause_s:
            self._pause_s = _FIRST_LOOK_S
            self._next_ns = now_ns + int(self._pause_s * _NS)
        if now_ns < self._next_ns:
            return False
        self._pause_s = min(self._pause_s * 1.5, _LAST_LOOK_S)
        self._next_ns = now_ns + int(self._pause_s * _NS)
        return True
