"""``sottovoce devices``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from sottovoce.app.context import AppContext
from sottovoce.core.errors import DeviceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from sottovoce.app.settings import Config
    from sottovoce.audio.host import Device

_DIRECTIONS: tuple[tuple[str, Literal["input", "output"]], ...] = (("in", "input"), ("out", "output"))


@click.command("devices")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(app: AppContext, as_json: bool) -> None:
    """List the audio devices of this machine, and which of them are used.

    A device is named by its id, its name, or a part of the name that no other device has:
    `sottovoce live --input usb --output 3`. Without a name the default one is used.
    """
    from sottovoce.audio.devices import NO_DEVICE_HINT, list_devices

    config = app.config
    devices = list_devices()
    used = _used(devices, config)
    if as_json:
        app.print_json([{**_as_json(device), "used_as": used.get(device.id, [])} for device in devices])
        return
    if not devices:
        raise DeviceNotFoundError("this machine has no audio device", hint=NO_DEVICE_HINT)
    app.console.print(_table(devices, used))


def _used(devices: Sequence[Device], config: Config) -> dict[int, list[str]]:
    """For what each device would be used now; a setting that fits no device is no error while one is looked for."""
    from sottovoce.audio.devices import select_device

    used: dict[int, list[str]] = {}
    for word, kind in _DIRECTIONS:
        try:
            device = select_device(devices, config.audio.input if kind == "input" else config.audio.output, kind)
        except DeviceNotFoundError:
            continue
        used.setdefault(device.id, []).append(word)
    return used


def _table(devices: Sequence[Device], used: dict[int, list[str]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("id", justify="right")
    table.add_column("name", overflow="fold")
    for name in ("in", "out", "Hz"):
        table.add_column(name, justify="right")
    for name in ("default", "used"):
        table.add_column(name, no_wrap=True)
    several = len({device.host_api for device in devices}) > 1
    if several:
        table.add_column("by")
    for device in devices:
        row: list[str | Text] = [
            str(device.id),
            Text(device.name, "bold" if device.id in used else ""),
            str(device.input_channels or ""),
            str(device.output_channels or ""),
            str(device.default_samplerate),
            " ".join(word for word, kind in _DIRECTIONS if device.is_default(kind)),
            " ".join(used.get(device.id, [])),
        ]
        table.add_row(*row, *([device.host_api] if several else []))
    return table


def _as_json(device: Device) -> dict[str, object]:
    return {
        "id": device.id,
        "name": device.name,
        "host_api": device.host_api,
        "input_channels": device.input_channels,
        "output_channels": device.output_channels,
        "default_samplerate": device.default_samplerate,
        "default_input": device.default_input,
        "default_output": device.default_output,
    }
