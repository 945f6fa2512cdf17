"""What names, rates and channels tell of Bluetooth devices, in the shapes that Linux, macOS and Windows give them."""

from __future__ import annotations

import dataclasses

import pytest

from sottovoce.audio.bluetooth import TelephoneQuality, looks_bluetooth, same_headset, stem_of, telephone_quality
from sottovoce.audio.host import Device


def device(name: str, inputs: int = 0, outputs: int = 0, samplerate: int = 48000) -> Device:
    return Device(0, name, "host", inputs, outputs, samplerate, False, False, 0.01, 0.1, 0.02, 0.2)


@pytest.mark.parametrize(
    "name",
    [
        "bluez_output.AC_80_0A_12_34_56.1",  # PipeWire
        "bluez_sink.AC_80_0A_12_34_56.a2dp_sink",  # PulseAudio
        "bluealsa",
        "Headset (WH-1000XM4 Hands-Free AG Audio)",  # Windows, WASAPI
        "Headset (WH-1000XM4 Hands-Free ",  # Windows, MME: cut off
        "Headset (@System32\\drivers\\bthhfenum.sys,#2;%1 Hands-Free%0;(WH-1000XM4))",  # Windows, WDM-KS
        "Anna's AirPods Pro",  # macOS
        "Galaxy Buds2 Pro",
        "Bluetooth headset",
    ],
)
def test_names_that_are_bluetooth(name: str) -> None:
    assert looks_bluetooth(name)


@pytest.mark.parametrize(
    "name",
    ["default", "pulse", "HDA Intel PCH: ALC3266 Analog (hw:0,0)", "MacBook Pro Speakers", "Realtek(R) Audio", "vs48",
     "Headphones (USB Audio)", "Blue Yeti", "Bose QC35 II", "Buddy"],
)  # fmt: skip
def test_names_that_are_not_or_do_not_tell(name: str) -> None:
    assert not looks_bluetooth(name)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Headphones (WH-1000XM4 Stereo)", "wh-1000xm4"),
        ("Headset (WH-1000XM4 Hands-Free AG Audio)", "wh-1000xm4"),
        ("Headset (2- WH-1000XM4 Hands-Free)", "wh-1000xm4"),
        ("Headset Microphone (WH-1000XM4", "wh-1000xm4"),
        ("Headset (@System32\\drivers\\bthhfenum.sys,#2;%1 Hands-Free%0;(WH-1000XM4))", "wh-1000xm4"),
        ("bluez_output.AC_80_0A_12_34_56.1", "ac:80:0a:12:34:56"),
        ("bluez_input.AC:80:0A:12:34:56", "ac:80:0a:12:34:56"),
        ("bluez_sink.AC_80_0A_12_34_56.a2dp_sink", "ac:80:0a:12:34:56"),
        ("bluez_source.AC_80_0A_12_34_56.handsfree_head_unit", "ac:80:0a:12:34:56"),
        ("AirPods Pro", "airpods pro"),
        ("AirPods Pro Microphone", "airpods pro"),
        ("  default ", "default"),
    ],
)
def test_stem_is_the_product(name: str, stem: str) -> None:
    assert stem_of(name) == stem


@pytest.mark.parametrize(
    ("microphone", "earpiece", "same"),
    [
        ("AirPods Pro", "AirPods Pro", True),
        ("Headset (WH-1000XM4 Hands-Free AG Audio)", "Headphones (WH-1000XM4 Stereo)", True),
        ("Headset (WF-1000XM5 Long Name Hands-F", "Headphones (WF-1000XM5 Long Name)", True),
        ("bluez_input.AC:80:0A:12:34:56", "bluez_output.AC_80_0A_12_34_56.1", True),
        ("bluez_input.AC:80:0A:12:34:57", "bluez_output.AC_80_0A_12_34_56.1", False),
        ("MacBook Pro Microphone", "AirPods Pro", False),
        ("MacBook Pro Microphone", "MacBook Air Speakers", False),
        ("Microphone (Realtek(R) Audio)", "Headphones (WH-1000XM4 Stereo)", False),
        ("hw", "hw:0", False),
    ],
)
def test_two_directions_of_one_product(microphone: str, earpiece: str, same: bool) -> None:
    assert same_headset(microphone, earpiece) is same
    assert same_headset(earpiece, microphone) is same


MAC_BEFORE = (
    device("MacBook Pro Microphone", 1),
    device("MacBook Pro Speakers", 0, 2),
    device("AirPods Pro", 1, 0, 24000),
    device("AirPods Pro", 0, 2, 48000),
)
MAC_AFTER = (*MAC_BEFORE[:3], device("AirPods Pro", 0, 1, 24000))

PULSE_BEFORE = (
    device("alsa_input.pci-0000_00_1f.3.analog-stereo", 2, 0, 44100),
    device("bluez_sink.AC_80_0A_12_34_56.a2dp_sink", 0, 2, 44100),
    device("Monitor of bluez_sink.AC_80_0A_12_34_56.a2dp_sink", 2, 0, 44100),
)
PULSE_AFTER = (
    PULSE_BEFORE[0],
    device("bluez_sink.AC_80_0A_12_34_56.handsfree_head_unit", 0, 1, 8000),
    device("bluez_source.AC_80_0A_12_34_56.handsfree_head_unit", 1, 0, 8000),
)

WINDOWS = (
    device("Microphone (Realtek(R) Audio)", 2),
    device("Headset (WH-1000XM4 Hands-Free AG Audio)", 1, 0, 16000),
    device("Headset (WH-1000XM4 Hands-Free AG Audio)", 0, 1, 16000),
    device("Headphones (WH-1000XM4 Stereo)", 0, 2, 44100),
)


@pytest.mark.parametrize(
    ("before", "after", "microphone", "earpiece", "fallen", "others"),
    [
        (MAC_BEFORE, MAC_AFTER, "AirPods Pro", "AirPods Pro", (24000, 1), ("MacBook Pro Microphone",)),
        (
            PULSE_BEFORE,
            PULSE_AFTER,
            PULSE_AFTER[2].name,
            PULSE_BEFORE[1].name,
            (8000, 1),
            ("alsa_input.pci-0000_00_1f.3.analog-stereo",),
        ),
        ((), WINDOWS, WINDOWS[1].name, WINDOWS[2].name, (16000, 1), ("Microphone (Realtek(R) Audio)",)),
    ],
)
def test_fall_is_seen_by_rate_and_channels_and_other_microphones_are_named(
    before: tuple[Device, ...],
    after: tuple[Device, ...],
    microphone: str,
    earpiece: str,
    fallen: tuple[int, int],
    others: tuple[str, ...],
) -> None:
    found = telephone_quality(before, after, microphone, earpiece)
    assert found == TelephoneQuality(earpiece, *fallen, others)
    assert f"{fallen[0] // 1000} kHz, mono" in found.problem
    assert repr(others[0]) in found.advice


def test_another_microphone_leaves_the_headset_alone() -> None:
    assert telephone_quality(MAC_BEFORE, MAC_BEFORE, "MacBook Pro Microphone", "AirPods Pro") is None


def test_headset_that_keeps_its_quality_is_no_problem() -> None:
    """A wire, or LE Audio: what is seen counts, not what is feared."""
    assert telephone_quality(MAC_BEFORE, MAC_BEFORE, "AirPods Pro", "AirPods Pro") is None
    wired = (device("USB headset", 1, 2),)
    assert telephone_quality((), wired, "USB headset", "USB headset") is None


def test_before_anybody_has_looked_a_fall_is_to_be_expected() -> None:
    found = telephone_quality(MAC_BEFORE, (), "AirPods Pro", "AirPods Pro")
    assert found == TelephoneQuality("AirPods Pro", 0, 0, ("MacBook Pro Microphone",))
    assert "falls to telephone quality" in found.problem
    assert telephone_quality((), (), "USB headset", "USB headset") is None


def test_mono_at_full_rate_is_not_the_telephone() -> None:
    before = (device("USB headset", 1, 2),)
    after = (dataclasses.replace(before[0], output_channels=1),)
    assert telephone_quality(before, after, "USB headset", "USB headset") is None


def test_without_another_microphone_it_says_what_would_help() -> None:
    found = telephone_quality((), (device("AirPods", 1, 1, 16000),), "AirPods", "AirPods")
    assert found is not None
    assert "there is none now" in found.advice
