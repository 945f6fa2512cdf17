"""What the engine asks of a host audio system; ``portaudio.py`` answers it, and tests answer it with fakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class Device:
    """One audio device as the host lists it.

    ``id`` is only valid until the host's list is refreshed; latencies are the host's suggestions in seconds.
    """

    id: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    default_samplerate: int
    default_input: bool
    default_output: bool
    low_input_latency_s: float
    high_input_latency_s: float
    low_output_latency_s: float
    high_output_latency_s: float

    def channels(self, kind: Kind) -> int:
        """Most channels in that direction."""
        return self.input_channels if kind == "input" else self.output_channels

    def is_default(self, kind: Kind) -> bool:
        """Whether the host takes it when nobody names one."""
        return self.default_input if kind == "input" else self.default_output

    def latency_s(self, kind: Kind, latency: float | Literal["low", "high"]) -> float:
        """``latency`` in seconds, the words ``"low"`` and ``"high"`` replaced by the host's suggestion."""
        if isinstance(latency, str):
            suggestions = {
                ("input", "low"): self.low_input_latency_s,
                ("input", "high"): self.high_input_latency_s,
                ("output", "low"): self.low_output_latency_s,
                ("output", "high"): self.high_output_latency_s,
            }
            return suggestions[kind, latency]
        return latency


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What a stream is to be opened with; the addresses are those of compiled functions and their state.

    ``device_name`` is what the list said of ``device_id``: should the list have been renewed since, the host refuses
    to open another device in its place.
    """

    kind: Kind
    device_id: int
    device_name: str
    samplerate: int
    channels: int
    blocksize: int
    latency_s: float
    callback_address: int
    finished_address: int
    userdata: int


class HostStream(Protocol):
    """An open stream. Each method may block, none holds the GIL while it does, and any may raise HostAudioError."""

    @property
    def samplerate(self) -> int:
        """Rate in Hz at which it really runs."""
        ...

    @property
    def latency_s(self) -> float:
        """Output or input latency that the host reports, in seconds."""
        ...

    def start(self) -> None: ...

    def abort(self) -> None:
        """Stop at once; what the device still holds is dropped. Can hang while a sound server hangs."""
        ...

    def close(self) -> None:
        """Give everything back; a second call does nothing."""
        ...


class Host(Protocol):
    """A system that has devices and opens streams on them."""

    def devices(self) -> tuple[Device, ...]:
        """Every device, from the list that :meth:`refresh` renews."""
        ...

    def refresh(self, max_age_s: float = 0.0) -> bool:
        """Look for new devices, unless the list is younger than ``max_age_s``.

        False, and nothing done, if it is older and a stream of ours is open.
        """
        ...

    def supports(self, kind: Kind, device_id: int, samplerate: int, channels: int) -> bool:
        """Whether a device says that it takes that format as float32."""
        ...

    def open(self, request: StreamRequest) -> HostStream: ...

    @property
    def way(self) -> str:
        """How it is reached, where there is more than one way; else nothing."""
        ...

    def abandon(self) -> None:
        """A stream is given up while the host hangs: from now on, nothing may wait for the host at exit."""
        ...
