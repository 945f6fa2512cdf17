"""The devices of a session that runs, and how it moves to others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sottovoce.app.web.answers import Problem
from sottovoce.audio.afresh import devices_afresh
from sottovoce.audio.bluetooth import looks_bluetooth, telephone_quality

if TYPE_CHECKING:
    from sottovoce.audio.host import Device, Kind
    from sottovoce.audio.player import Player
    from sottovoce.audio.recorder import Recorder


class Devices:
    """Lists the devices of this machine, and moves a session to one of them. For threads that may wait.

    Parameters
    ----------
    player, recorder : Player, Recorder
        Both have been started.
    look : callable, optional
        Finds the devices that there are now.
    """

    def __init__(self, player: Player, recorder: Recorder, look: Callable[[], Sequence[Device]] | None = None) -> None:
        self._player, self._recorder = player, recorder
        self._given_up = threading.Event()
        self._look = look or (lambda: devices_afresh(given_up=self._given_up))

    def close(self) -> None:
        """Give up a look that is under way."""
        self._given_up.set()

    def listing(self) -> dict[str, object]:
        """As docs/web.md describes it."""
        devices = self._look()
        heard, spoken = self._recorder.stream_report().device, self._player.snapshot_state().stream.device
        return {
            "outputs": [_shown(each, "output", spoken, heard, devices) for each in devices if each.output_channels],
            "inputs": [_shown(each, "input", heard, spoken, devices) for each in devices if each.input_channels],
        }

    def move(self, direction: object, wanted: object) -> None:
        """Let the session go on on another device; returns once that is under way."""
        if direction not in ("output", "input"):
            raise Problem(400, f"direction is {str(direction)[:20]!r}; allowed: output, input")
        kind: Kind = "output" if direction == "output" else "input"
        fitting = [each for each in self._look() if each.channels(kind) and _id(each) == wanted]
        if not fitting:
            raise Problem(400, f"there is no such {kind}", "ask for the list again: it may have been unplugged")
        if kind == "output":
            self._player.move_to(fitting[0])
        else:
            self._recorder.move_to(fitting[0])


def _id(device: Device) -> str:
    """What means this device in whichever process: the host's own ids hold until its list is renewed."""
    return f"{device.host_api}: {device.name}"


def _shown(device: Device, kind: Kind, current: str, other: str, devices: Sequence[Device]) -> dict[str, object]:
    """A device; ``other`` is the one in use in the other direction, by name."""
    microphone, earpiece = (other, device.name) if kind == "output" else (device.name, other)
    telephone = telephone_quality(devices, (), microphone, earpiece)
    advice = f"{telephone.problem}; {telephone.advice}" if telephone is not None else ""
    if not advice and kind == "output" and looks_bluetooth(device.name):
        advice = "Bluetooth adds a tenth of a second or more to every answer"
    return {
        "id": _id(device),
        "name": device.name,
        "default": device.is_default(kind),
        "current": device.name == current,
        "advice": advice,
    }
