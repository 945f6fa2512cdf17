"""Which audio devices there are, which one is meant, and whether it has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sottovoce.audio.host import Device, Kind
from sottovoce.audio.portaudio import portaudio_host
from sottovoce.core.errors import ConfigError, DeviceNotFoundError

#: Shown where there is no device at all.
NO_DEVICE_HINT = "plug one in, or start the sound server; `sottovoce doctor` shows what is missing"


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """What is remembered of the device that a stream was last opened on."""

    id: int
    samplerate: int


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """What a look at the devices has found: the id and rate (Hz) to use, and whether they are new."""

    changed: bool
    id: int | None
    samplerate: int | None


def list_devices() -> tuple[Device, ...]:
    """Every audio device of this machine, in the host's order.

    PortAudio looks for devices only when it starts, so it is restarted for this unless a stream of ours is open.

    Raises
    ------
    DeviceError
        If PortAudio is not installed; the hint says how to install it.
    """
    host = portaudio_host()
    host.refresh(max_age_s=1.0)
    return host.devices()


def find_device(spec: int | str | None, kind: Kind) -> Device:
    """The one device that is meant.

    Parameters
    ----------
    spec : int or str or None
        Id, exact name, or a part of the name (in any case) that only one device has; None for the default device.
    kind : {"input", "output"}
        Direction in which it has to have channels.

    Raises
    ------
    DeviceNotFoundError
        If none or more than one fits; the message lists what there is.
    DeviceError
        If PortAudio is not installed.
    """
    return select_device(list_devices(), spec, kind)


def check_direction(device: Device, kind: Kind) -> None:
    """A :class:`DeviceNotFoundError` if a device has no channels in that direction."""
    if not device.channels(kind):
        raise DeviceNotFoundError(f"{device.name!r} is no {kind} device", hint=f"name one that has {kind} channels")


def select_device(devices: Sequence[Device], spec: int | str | None, kind: Kind) -> Device:
    """:func:`find_device` among ``devices``."""
    if kind not in ("input", "output"):
        raise ConfigError(f"kind is {kind!r}; allowed: 'input', 'output'", key="kind")
    usable = [device for device in devices if device.channels(kind) > 0]
    if not usable:
        raise DeviceNotFoundError(f"there is no {kind} device", hint=NO_DEVICE_HINT)
    if spec is None:
        return _default_of(usable, kind)
    fitting = _fitting(usable, spec)
    if len(fitting) == 1:
        return fitting[0]
    found = "no" if not fitting else f"{len(fitting)}"
    raise DeviceNotFoundError(
        f"{found} {kind} devices fit {spec!r}; there are: {_listing(fitting or usable)}",
        fitting=len(fitting),
        hint="name one by its id or its whole name; `sottovoce devices` lists them",
    )


def _default_of(usable: Sequence[Device], kind: Kind) -> Device:
    for device in usable:
        if device.is_default(kind):
            return device
    raise DeviceNotFoundError(
        f"no {kind} device is the default; there are: {_listing(usable)}", hint="name one by its id or its name"
    )


def _fitting(usable: Sequence[Device], spec: int | str) -> list[Device]:
    if isinstance(spec, int):
        return [device for device in usable if device.id == spec]
    exact = [device for device in usable if device.name == spec]
    if exact:
        return exact
    part = spec.casefold()
    return [device for device in usable if part in device.name.casefold()]


def _listing(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.id} {device.name!r} ({device.host_api})" for device in devices)


def detect_change(known: KnownDevice | None, seen: KnownDevice | None) -> DeviceChange:
    """Whether the device in use is another one now (SPEC A11); reads nothing else and changes nothing.

    Parameters
    ----------
    known : KnownDevice or None
        The last valid device, None before the first.
    seen : KnownDevice or None
        What a query has just found, None if it found none.

    Returns
    -------
    DeviceChange
        With nothing seen, the last valid id and rate stay in use.
    """
    if seen is None:
        return DeviceChange(False, known.id if known else None, known.samplerate if known else None)
    return DeviceChange(seen != known, seen.id, seen.samplerate)
