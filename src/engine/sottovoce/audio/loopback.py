"""The second ear: which input gives what this machine plays, found in the way that the system offers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sottovoce.audio.devices import list_devices, select_device
from sottovoce.audio.host import Device, Host
from sottovoce.audio.monitors import MonitorHost
from sottovoce.core.errors import DeviceError, DeviceNotFoundError

#: How it is reached: the monitor of an output of the sound server, the loopback of an output of WASAPI, or a virtual
#: device that programs play to.
Way: TypeAlias = Literal["monitor", "wasapi", "virtual"]

#: What PortAudio adds to the name of an output of WASAPI to make it an input (its pull request 672).
_WASAPI_SUFFIX = "[loopback]"

#: Devices, by a part of their names, that give as an input what is played to them, best known first.
_VIRTUAL = ("blackhole", "loopback audio", "vb-cable", "cable output", "soundflower", "stereo mix")

_HINTS = {
    "linux": "start PulseAudio or PipeWire (pipewire-pulse), or set audio.loopback to an input that hears the output",
    "darwin": "install a virtual device (brew install blackhole-2ch), and play to it; see docs/two-ears.md",
    "win32": 'switch on "Stereo Mix", or install VB-Cable, and play to it; see docs/two-ears.md',
}


@dataclass(frozen=True, slots=True)
class Loopback:
    """An input that gives what an output plays.

    Attributes
    ----------
    name : str
        Of the device, as its host calls it.
    way : Way
        How it is reached.
    device : int, str or None
        What a Recorder is to be given; None follows the default output.
    host : Host or None
        What a Recorder is to be given; None is PortAudio.
    """

    name: str
    way: Way
    device: int | str | None
    host: Host | None = field(default=None, compare=False)


def find_loopback(wanted: int | str) -> Loopback:
    """The loopback that is wanted: "auto" is that of the default output, or the best virtual device there is.

    Raises
    ------
    DeviceNotFoundError
        If there is none, or none, or more than one, fits the name; the message lists what there is.
    DeviceError
        If the sound system does not answer.
    """
    if _has_monitors():
        monitors = MonitorHost()
        try:
            return among_monitors(monitors.devices(), wanted, monitors)
        except DeviceError:
            if wanted == "auto":
                raise
            found = _listed(wanted)
            if found is None:
                raise
            return found
    return among_inputs(list_devices(), wanted)


def among_monitors(devices: Sequence[Device], wanted: int | str, host: Host) -> Loopback:
    """:func:`find_loopback` among the monitors of a sound server."""
    if wanted == "auto":
        return Loopback(select_device(devices, None, "input").name, "monitor", None, host)
    name = select_device(devices, wanted, "input").name
    return Loopback(name, "monitor", name, host)


def among_inputs(devices: Sequence[Device], wanted: int | str) -> Loopback:
    """:func:`find_loopback` among the devices that PortAudio lists."""
    inputs = [device for device in devices if device.channels("input")]
    if wanted != "auto":
        device = select_device(inputs, wanted, "input")
        return Loopback(device.name, _way_of(device) or "virtual", device.name)
    output = next((device.name for device in devices if device.is_default("output")), "")
    found = sorted((device for device in inputs if _way_of(device)), key=lambda device: _rank(device, output))
    if not found:
        raise DeviceNotFoundError("no input of this machine gives what it plays", hint=_HINTS.get(sys.platform, ""))
    return Loopback(found[0].name, _way_of(found[0]) or "virtual", found[0].id)


def offered() -> tuple[str, ...]:
    """Names of all inputs that give what this machine plays, the one that "auto" takes first; empty if there is none.

    Raises
    ------
    DeviceError
        If the sound system does not answer.
    """
    if _has_monitors():
        devices = MonitorHost().devices()
        return tuple(device.name for device in sorted(devices, key=lambda device: not device.default_input))
    devices = list_devices()
    output = next((device.name for device in devices if device.is_default("output")), "")
    found = [device for device in devices if device.channels("input") and _way_of(device)]
    return tuple(device.name for device in sorted(found, key=lambda device: _rank(device, output)))


def _has_monitors() -> bool:
    """Whether this is a system whose sound servers offer what an output plays."""
    return sys.platform.startswith("linux")


def _listed(wanted: int | str) -> Loopback | None:
    """An input of PortAudio's that the wearer has named, who may have set one up; None if there is none."""
    try:
        return among_inputs(list_devices(), wanted)
    except DeviceError:
        return None


def _way_of(device: Device) -> Way | None:
    name = device.name.casefold()
    if "wasapi" in device.host_api.casefold() and name.endswith(_WASAPI_SUFFIX):
        return "wasapi"
    return "virtual" if any(known in name for known in _VIRTUAL) else None


def _rank(device: Device, output: str) -> tuple[bool, bool, int]:
    """That of the default output first, then the others of WASAPI, then virtual ones."""
    name = device.name.casefold()
    is_loopback = _way_of(device) == "wasapi"
    of_default = is_loopback and bool(output) and name.startswith(output.casefold())
    known = next((place for place, part in enumerate(_VIRTUAL) if part in name), len(_VIRTUAL))
    return not of_default, not is_loopback, known
