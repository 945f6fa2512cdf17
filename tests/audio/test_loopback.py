"""Which input gives what the machine plays, on each system."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sottovoce.audio.host import Device
from sottovoce.audio.loopback import among_inputs, among_monitors
from sottovoce.core.errors import DeviceNotFoundError
from tests.audio.fakes import FakeHost, make_device


def device(number: int, name: str, api: str, inputs: int, outputs: int, *, default: bool = False) -> Device:
    base = make_device(number, name)
    return replace(
        base, host_api=api, input_channels=inputs, output_channels=outputs, default_input=default and inputs > 0,
        default_output=default and outputs > 0,
    )  # fmt: skip


WINDOWS = (
    device(0, "Microphone (USB)", "MME", 2, 0, default=True),
    device(1, "Speakers (Realtek(R) Audio)", "Windows WASAPI", 0, 2, default=True),
    device(2, "Headphones (USB)", "Windows WASAPI", 0, 2),
    device(3, "Headphones (USB) [Loopback]", "Windows WASAPI", 2, 0),
    device(4, "Speakers (Realtek(R) Audio) [Loopback]", "Windows WASAPI", 2, 0),
    device(5, "Stereo Mix (Realtek(R) Audio)", "Windows WDM-KS", 2, 0),
)
MAC = (
    device(0, "MacBook Pro Microphone", "Core Audio", 1, 0, default=True),
    device(1, "MacBook Pro Speakers", "Core Audio", 0, 2, default=True),
    device(2, "Soundflower (2ch)", "Core Audio", 2, 2),
    device(3, "BlackHole 2ch", "Core Audio", 2, 2),
)


def test_loopback_of_the_default_output_is_taken_on_windows() -> None:
    found = among_inputs(WINDOWS, "auto")
    assert (found.name, found.way, found.device) == ("Speakers (Realtek(R) Audio) [Loopback]", "wasapi", 4)


def test_without_loopbacks_what_mixes_the_output_is_taken() -> None:
    found = among_inputs([device for device in WINDOWS if "[Loopback]" not in device.name], "auto")
    assert (found.name, found.way) == ("Stereo Mix (Realtek(R) Audio)", "virtual")


def test_virtual_device_is_taken_on_a_mac_the_best_known_first() -> None:
    found = among_inputs(MAC, "auto")
    assert (found.name, found.way, found.device) == ("BlackHole 2ch", "virtual", 3)


def test_one_that_is_named_is_taken() -> None:
    found = among_inputs(WINDOWS, "headphones (usb) [loop")
    assert (found.device, found.way) == ("Headphones (USB) [Loopback]", "wasapi")


def test_machine_that_offers_none_says_so() -> None:
    with pytest.raises(DeviceNotFoundError, match="no input of this machine gives what it plays"):
        among_inputs(MAC[:2], "auto")
    with pytest.raises(DeviceNotFoundError, match=r"no input devices fit 'BlackHole'; there are: 0 'MacBook"):
        among_inputs(MAC[:2], "BlackHole")


def test_monitor_of_the_default_output_is_followed_and_a_named_one_is_kept() -> None:
    monitors = (
        device(4, "hdmi.monitor", "PulseAudio monitor", 2, 0),
        device(7, "headset.monitor", "PulseAudio monitor", 2, 0, default=True),
    )
    host = FakeHost(*monitors)
    found = among_monitors(monitors, "auto", host)
    assert (found.name, found.way, found.device, found.host) == ("headset.monitor", "monitor", None, host)
    assert among_monitors(monitors, "hdmi", host).device == "hdmi.monitor"
    with pytest.raises(DeviceNotFoundError, match="no input devices fit 'speaker'"):
        among_monitors(monitors, "speaker", host)
