"""sottovoce: a realtime audio engine, and a voice assistant on top of it.

Importing it imports nothing heavy, not even NumPy: each name below brings its own when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "AudioFile",
    "CancelToken",
    "Device",
    "DeviceError",
    "DeviceOutput",
    "Player",
    "PlayerSource",
    "Recorder",
    "Resampler",
    "SottovoceError",
    "StreamError",
    "WavOutput",
    "__version__",
    "find_device",
    "list_devices",
]

if TYPE_CHECKING:
    from sottovoce.audio.devices import find_device, list_devices
    from sottovoce.audio.files import AudioFile
    from sottovoce.audio.host import Device
    from sottovoce.audio.output import DeviceOutput
    from sottovoce.audio.player import Player
    from sottovoce.audio.recorder import Recorder
    from sottovoce.audio.resampler import Resampler
    from sottovoce.audio.source import PlayerSource
    from sottovoce.audio.wav import WavOutput
    from sottovoce.core.cancel import CancelToken
    from sottovoce.core.errors import DeviceError, SottovoceError, StreamError

_HOMES = {
    "AudioFile": "audio.files",
    "CancelToken": "core.cancel",
    "Device": "audio.host",
    "DeviceError": "core.errors",
    "DeviceOutput": "audio.output",
    "Player": "audio.player",
    "PlayerSource": "audio.source",
    "Recorder": "audio.recorder",
    "Resampler": "audio.resampler",
    "SottovoceError": "core.errors",
    "StreamError": "core.errors",
    "WavOutput": "audio.wav",
    "find_device": "audio.devices",
    "list_devices": "audio.devices",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
