"""What names, rates and channel counts tell of Bluetooth devices; nothing else is known of them through PortAudio."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sottovoce.audio.host import Device

#: Names of stacks, profiles and products that are Bluetooth for certain; matched in any case.
_BLUETOOTH = re.compile(
    r"blue(tooth|z|alsa)|hands[- ]?free|\ba2dp\b|\bh[fs]p\b|headset[-_]head|airpods|\bbuds\d*\b|\bbthhf"
)

#: Rates (Hz) of the hands-free profiles: CVSD, mSBC, LC3-SWB (and macOS, which shows it as 24000).
_TELEPHONE_RATES = (8000, 16000, 24000, 32000)

#: What systems put around a product's name, taken off one after another.
_AROUND = (
    re.compile(r"^.*@system32.*\((?P<name>[^()]+)\)+$"),  # Windows, WDM-KS
    re.compile(r"^[^()]+\((?:\d+- )?(?P<name>[^()]+)\)?$"),  # Windows: "Headset (2- NAME Hands-Free AG Audio)", cut off
    re.compile(r"^(?:bluez_(?:sink|source|output|input|card)|monitor of)[. ](?P<name>.+)$"),  # PulseAudio, PipeWire
    re.compile(
        r"^(?P<name>.+?)[ ._]*(?:hands[- ]?free.*|stereo|headset|headphones?|microphone|mic|a2dp[-_ ]s.*|"
        r"(?:headset|handsfree)[-_]head[-_]unit.*|\.monitor|\.\d+)$"
    ),
)

#: Names are cut off by some hosts (MME: after 31 characters); so many have to be there to compare them.
_LEAST_STEM = 4


@dataclass(frozen=True, slots=True)
class TelephoneQuality:
    """A headset that plays in telephone quality, or is going to, since its own microphone is in use.

    Attributes
    ----------
    headset : str
        Its output, by name.
    samplerate, channels : int
        What its output has fallen to (Hz); 0 if it is only to be expected.
    others : tuple of str
        Inputs that leave it alone.
    """

    headset: str
    samplerate: int
    channels: int
    others: tuple[str, ...]

    @property
    def problem(self) -> str:
        """What is wrong, in a sentence."""
        if self.samplerate:
            fallen = f"{self.samplerate / 1000:g} kHz" + (", mono" if self.channels == 1 else "")
            return f"{self.headset!r} has fallen to telephone quality ({fallen}): its own microphone is in use"
        return f"{self.headset!r} falls to telephone quality while its own microphone is in use"

    @property
    def advice(self) -> str:
        """What to do, in a sentence."""
        if not self.others:
            return "a microphone of its own (built in, or on a wire) avoids that; there is none now"
        return f"set audio.input to another microphone: {', '.join(map(repr, self.others))}"


def looks_bluetooth(name: str) -> bool:
    """Whether a device's name says that it is a Bluetooth device; many do not, and behind a sound server none does."""
    return bool(_BLUETOOTH.search(name.casefold()))


def stem_of(name: str) -> str:
    """The product that a device's name speaks of, without what systems put around it."""
    stem = name.strip().casefold()
    for around in _AROUND:
        found = around.match(stem)
        if found:
            stem = found["name"].strip()
    return stem.replace("_", ":") if re.fullmatch(r"(?:[0-9a-f]{2}[_:]){5}[0-9a-f]{2}", stem) else stem


def same_headset(first: str, second: str) -> bool:
    """Whether two devices, by their names, are the two directions of one product."""
    short, long = sorted((stem_of(first), stem_of(second)), key=len)
    return len(short) >= _LEAST_STEM and long.startswith(short)


def telephone_quality(
    before: Sequence[Device], after: Sequence[Device], microphone: str, earpiece: str
) -> TelephoneQuality | None:
    """Whether an earpiece plays in telephone quality since its own microphone was opened.

    Parameters
    ----------
    before, after : sequence of Device
        All devices, looked at before and after the microphone was opened; each may be empty if nobody has looked.
    microphone, earpiece : str
        The input and the output in use, by name.

    Returns
    -------
    TelephoneQuality or None
        With the rate that it fell to; without one if nobody has looked yet, but the name says that it is Bluetooth.
        None if the two are not one headset, or if it is one on a wire.
    """
    if not same_headset(microphone, earpiece):
        return None
    then, now = (_output_of(devices, earpiece) for devices in (before, after))
    others = _inputs_beside(after or before, earpiece)
    if now is not None and _has_fallen(then, now):
        return TelephoneQuality(earpiece, now.default_samplerate, now.output_channels, others)
    if any(looks_bluetooth(name) for name in (microphone, earpiece)) and now is None:
        return TelephoneQuality(earpiece, 0, 0, others)
    return None


def _has_fallen(then: Device | None, now: Device) -> bool:
    """By rate and channel count; rates of the telephone alone are enough, as no earpiece else has them."""
    if then is not None and then.output_channels > now.output_channels == 1:
        return now.default_samplerate < 44100
    return now.default_samplerate in _TELEPHONE_RATES


def _output_of(devices: Sequence[Device], name: str) -> Device | None:
    outputs = [device for device in devices if device.output_channels]
    exact = [device for device in outputs if device.name == name]
    alike = [device for device in outputs if same_headset(device.name, name)]
    return next(iter(exact or alike), None)


def _inputs_beside(devices: Sequence[Device], headset: str) -> tuple[str, ...]:
    """Every real microphone that is not the headset's, once."""
    names = (device.name for device in devices if device.input_channels and not same_headset(device.name, headset))
    return tuple(
        dict.fromkeys(name for name in names if not looks_bluetooth(name) and "monitor" not in name.casefold())
    )
