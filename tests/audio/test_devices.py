from __future__ import annotations

import dataclasses

import pytest

from sottovoce.audio.devices import DeviceChange, KnownDevice, detect_change, select_device
from sottovoce.audio.host import Device
from sottovoce.audio.negotiate import StreamConfig, formats_to_try
from sottovoce.core.errors import DeviceNotFoundError


def device(number: int, name: str, **changes: object) -> Device:
    plain = Device(
        id=number,
        name=name,
        host_api="ALSA",
        input_channels=0,
        output_channels=2,
        default_samplerate=44100,
        default_input=False,
        default_output=False,
        low_input_latency_s=0.01,
        high_input_latency_s=0.1,
        low_output_latency_s=0.02,
        high_output_latency_s=0.2,
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


DEVICES = (
    device(0, "Built-in Speakers", default_output=True),
    device(1, "USB Headset", input_channels=1),
    device(2, "USB Speakers"),
    device(3, "Microphone", input_channels=2, output_channels=0, default_input=True),
)


@pytest.mark.parametrize(
    ("spec", "kind", "expected"),
    [
        (None, "output", 0),
        (None, "input", 3),
        (2, "output", 2),
        ("USB Headset", "output", 1),
        ("headset", "output", 1),
        ("usb", "input", 1),
    ],
)
def test_select_device_by_default_id_name_or_part(spec: int | str | None, kind: str, expected: int) -> None:
    assert select_device(DEVICES, spec, kind).id == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("spec", "words"), [("usb", "2 output devices"), ("hdmi", "no output"), (3, "no output")])
def test_select_device_that_is_not_one_lists_what_there_is(spec: int | str, words: str) -> None:
    with pytest.raises(DeviceNotFoundError, match="USB Headset") as caught:
        select_device(DEVICES, spec, "output")
    assert words in str(caught.value)
    assert "sottovoce devices" in caught.value.hint


def test_select_device_without_any_says_so() -> None:
    with pytest.raises(DeviceNotFoundError, match="no output device"):
        select_device((), None, "output")


def test_select_device_whole_name_wins_over_a_part() -> None:
    both = (device(0, "USB"), device(1, "USB Speakers"))
    assert select_device(both, "USB", "output").id == 0


def test_detect_change_of_the_same_device_is_none() -> None:
    assert detect_change(KnownDevice(1, 48000), KnownDevice(1, 48000)) == DeviceChange(False, 1, 48000)


@pytest.mark.parametrize("seen", [KnownDevice(2, 48000), KnownDevice(1, 44100)])
def test_detect_change_of_id_or_rate(seen: KnownDevice) -> None:
    assert detect_change(KnownDevice(1, 48000), seen) == DeviceChange(True, seen.id, seen.samplerate)


def test_detect_change_without_a_device_keeps_the_last_valid_one() -> None:
    assert detect_change(KnownDevice(1, 48000), None) == DeviceChange(False, 1, 48000)
    assert detect_change(None, None) == DeviceChange(False, None, None)


def config(**changes: object) -> StreamConfig:
    return dataclasses.replace(StreamConfig("output", 24000, 2), **changes)  # type: ignore[arg-type]


def test_formats_content_rate_first_then_the_devices_own() -> None:
    assert formats_to_try(config(), device(0, "a")) == ((24000, 2), (44100, 2))


def test_formats_device_rate_first_if_preferred() -> None:
    assert formats_to_try(config(prefer_stream_rate="device"), device(0, "a")) == ((44100, 2), (24000, 2))


def test_formats_of_a_mono_device_and_of_one_that_wants_all_its_channels() -> None:
    assert formats_to_try(config(), device(0, "a", output_channels=1)) == ((24000, 1), (44100, 1))
    assert formats_to_try(config(), device(0, "a", output_channels=4)) == (
        (24000, 2),
        (44100, 2),
        (24000, 4),
        (44100, 4),
    )


def test_formats_never_ask_a_virtual_device_for_its_hundred_channels() -> None:
    assert formats_to_try(config(), device(0, "a", output_channels=128)) == ((24000, 2), (44100, 2))
