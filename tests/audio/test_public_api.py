"""The door: what it shows, and that opening it costs nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import sottovoce

_PROBE = """
import json, sys
before = set(sys.modules)
import sottovoce
json.dump(sorted(set(sys.modules) - before), sys.stdout)
"""


def test_import_imports_nothing_but_itself() -> None:
    done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True)
    imported = {name.split(".")[0] for name in json.loads(done.stdout)}
    heavy = imported & {"numpy", "sounddevice", "_sounddevice", "soxr", "soundfile", "cffi"}
    assert not heavy
    # an editable installation brings its own finder along, for any package
    assert {name for name in imported if name == "sottovoce"} == {"sottovoce"}


def test_engine_without_portaudio_renders_a_file_and_imports_no_sounddevice(tmp_path: object) -> None:
    code = f"""
import sys
sys.modules["sounddevice"] = None  # as if it were not installed
import numpy, sottovoce
with sottovoce.Player(16000, 1, output=sottovoce.WavOutput({str(tmp_path)!r} + "/x.wav", paced=False)) as player:
    player.write(numpy.zeros(1600, numpy.float32))
try:
    sottovoce.list_devices()
except sottovoce.DeviceError as error:
    print(error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install sounddevice" in done.stdout


def test_missing_portaudio_library_is_an_error_with_the_command_that_mends_it() -> None:
    code = """
import ctypes.util, sys
ctypes.util.find_library = lambda name: None
from sottovoce.audio.portaudio import portaudio_status
import sottovoce
print(portaudio_status().available, portaudio_status().hint)
try:
    with sottovoce.Player():
        pass
except sottovoce.DeviceError as error:
    print(error, "|", error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux wheels of sounddevice come without PortAudio")
    status, error = done.stdout.splitlines()
    assert status.startswith("False apt-get install libportaudio2")
    assert "PortAudio library not found" in error
    assert "apt-get install libportaudio2" in error


def test_every_public_name_is_there() -> None:
    for name in sottovoce.__all__:
        assert getattr(sottovoce, name) is not None
    assert set(sottovoce.__all__) <= set(dir(sottovoce))
    assert 10 <= len(sottovoce.__all__) <= 16


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Plaier'"):
        _ = sottovoce.Plaier  # type: ignore[attr-defined]
