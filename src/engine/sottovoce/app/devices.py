"""``sottovoce devices``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sottovoce.app.context import AppContext
from sottovoce.core.errors import DeviceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from sottovoce.audio.host import Device


@click.command("devices")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(app: AppContext, as_json: bool) -> None:
    """List the audio devices of this machine.

    A device is named by its id, its name, or a part of the name that no other device has:
    `sottovoce live --input usb --output 3`.
    """
    from sottovoce.audio.devices import NO_DEVICE_HINT, list_devices

    devices = list_devices()
    if as_json:
        app.print_json([_as_json(device) for device in devices])
        return
    if not devices:
        raise DeviceNotFoundError("this machine has no audio device", hint=NO_DEVICE_HINT)
    app.console.print(_table(devices))


def _table(devices: Sequence[Device]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("id", justify="right")
    table.add_column("name", overflow="fold")
    table.add_column("in", justify="right")
    table.add_column("out", justify="right")
    table.add_column("Hz", justify="right")
    table.add_column("default", no_wrap=True)
    several = len({device.host_api for device in devices}) > 1
    if several:
        table.add_column("by")
    for device in devices:
        default = _default(device)
        row = [
            str(device.id),
            Text(device.name, "bold" if default else ""),
            str(device.input_channels or ""),
            str(device.output_channels or ""),
            str(device.default_samplerate),
            default,
        ]
        table.add_row(*row, *([device.host_api] if several else []))
    return table


def _default(device: Device) -> str:
    return " ".join(name for name, is_it in (("in", device.default_input), ("out", device.default_output)) if is_it)


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
