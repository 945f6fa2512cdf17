"""`sottovoce devices`, over devices that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sottovoce.audio import devices as audio_devices
from sottovoce.audio.host import Device
from tests.app.conftest import Result

Cli = Callable[..., Result]


def make_device(number: int, name: str, channels: tuple[int, int], *, default: str = "", api: str = "ALSA") -> Device:
    inputs, outputs = channels
    return Device(number, name, api, inputs, outputs, 48000, "in" in default, "out" in default, 0.01, 0.1, 0.01, 0.1)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[Device]:
    found = [
        make_device(0, "USB [headset]: Наушники", (1, 2)),
        make_device(4, "default", (32, 32), default="in out"),
        make_device(5, "HDMI", (0, 8)),
    ]
    monkeypatch.setattr(audio_devices, "list_devices", lambda: tuple(found))
    return found


def test_the_table_shows_channels_defaults_and_use(cli: Cli, machine: list[Device]) -> None:
    rows = [line.split() for line in cli("--set", "audio.output=hdmi", "devices").out.splitlines()]
    assert rows[0] == ["id", "name", "in", "out", "Hz", "default", "used"]
    assert rows[2] == ["0", "USB", "[headset]:", "Наушники", "1", "2", "48000"]
    assert rows[3] == ["4", "default", "32", "32", "48000", "in", "out", "in"]
    assert rows[4] == ["5", "HDMI", "8", "48000", "out"]


def test_a_device_is_set_by_its_id_0_too(cli: Cli, machine: list[Device]) -> None:
    listed = cli("--set", "audio.input=0", "devices", "--json").json
    assert [device["used_as"] for device in listed] == [["in"], ["out"], []]


def test_the_host_system_is_shown_where_there_are_several(cli: Cli, machine: list[Device]) -> None:
    assert "ALSA" not in cli("devices").out
    machine.append(make_device(6, "jack", (2, 2), api="JACK"))
    assert "JACK" in cli("devices").out


def test_the_list_as_json(cli: Cli, machine: list[Device]) -> None:
    first = cli("devices", "--json").json[0]
    assert first["name"] == "USB [headset]: Наушники"
    assert (first["input_channels"], first["output_channels"], first["default_samplerate"]) == (1, 2, 48000)


def test_no_device_is_an_error_with_its_own_code(cli: Cli, machine: list[Device]) -> None:
    machine.clear()
    result = cli("devices")
    assert result.code == 6
    assert result.err.startswith("error: this machine has no audio device\nhint: ")
    assert cli("devices", "--json").json == []


def test_wrong_settings_are_told(cli: Cli, machine: list[Device]) -> None:
    assert cli("--set", "tts.speed=14", "devices").code == 2


@pytest.fixture
def without_portaudio(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine whose sounddevice finds no PortAudio library."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *sys.path[1:]])
    return {**os.environ, "PYTHONPATH": path, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}


def test_without_portaudio_the_package_is_named(without_portaudio: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sottovoce", "devices"],
        env=without_portaudio,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("error: PortAudio cannot be loaded: PortAudio library not found\nhint: ")
    assert "portaudio" in done.stderr.splitlines()[1]
    assert done.stdout == ""
