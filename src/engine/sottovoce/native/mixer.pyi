from typing import Self, final

import numpy as np
import numpy.typing as npt

from sottovoce.native.activity import Activity
from sottovoce.native.ring import Ring
from sottovoce.native.source import Source as Source
from sottovoce.native.telemetry import Histogram

MAX_SOURCES: int
MAX_BLOCKSIZE: int
MAX_UNDRIVEN_S: int

@final
class Mixer:
    def __new__(
        cls,
        samplerate: int,
        channels: int,
        max_sources: int = 32,
        undriven_s: float = 0.5,
        tap: Ring | None = None,
    ) -> Self: ...
    @property
    def samplerate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def max_sources(self) -> int: ...
    @property
    def rendered_frames(self) -> int: ...
    @property
    def flush_latencies(self) -> Histogram: ...
    def add_source(
        self,
        samplerate: int,
        channels: int,
        capacity_frames: int,
        prebuffer_frames: int = 0,
        quality: str = "standard",
        yields: bool = True,
    ) -> Source: ...
    def remove_source(self, source: Source) -> None: ...
    def yield_to(self, activity: Activity | None, gain: float | None = None) -> None: ...
    def mark(self, source: Source) -> int: ...
    def fence(self) -> int: ...
    def take_result(self, mark: int) -> tuple[str, int, int] | None: ...
    def render_into(self, out: npt.NDArray[np.float32]) -> None: ...
    def counters(self) -> dict[str, int]: ...
