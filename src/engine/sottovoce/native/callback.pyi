from typing import Self, final

from sottovoce.native.activity import Activity
from sottovoce.native.mixer import Mixer
from sottovoce.native.ring import Ring
from sottovoce.native.stream_core import StreamCallback

@final
class PlaybackCallback(StreamCallback):
    """What one playback stream's callback touches; made anew for every stream that is opened.

    `samplerate` and `channels` are those that the device was opened with (0: the mixer's own). Where they differ from
    the mixer's (a device that refused the wanted format, or another device after a recreate: SPEC A7, A8, A13), the
    callback renders the mixer at its own format into scratch memory, resamples it and maps the channels, so
    that speed and pitch stay right; bit-identical for any blocksize, resampler state per stream, no allocation.
    """

    def __new__(
        cls, mixer: Mixer, generation: int, samplerate: int = 0, channels: int = 0, quality: str = "standard"
    ) -> Self: ...
    @property
    def mixer(self) -> Mixer: ...
    @property
    def samplerate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def address(self) -> int: ...
    def keep_awake(self, lead_in_s: float, sleeps_after_s: float, keeps_warm: bool) -> None: ...
    @property
    def dac_delay_ns(self) -> int: ...
    def fade_in(self) -> None: ...
    def counters(self) -> dict[str, int]: ...
    def drive(self, blocksize: int, blocks: int) -> float: ...

@final
class CaptureCallback(StreamCallback):
    """What one capture stream's callback touches: mixes to the ring's channels, resamples, writes the ring."""

    def __new__(
        cls,
        ring: Ring,
        samplerate: int,
        channels: int,
        ring_samplerate: int,
        generation: int,
        quality: str = "standard",
        activity: Activity | None = None,
    ) -> Self: ...
    @property
    def activity(self) -> Activity | None: ...
    @property
    def ring(self) -> Ring: ...
    @property
    def samplerate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def ring_samplerate(self) -> int: ...
    @property
    def address(self) -> int: ...
    def counters(self) -> dict[str, int]: ...
