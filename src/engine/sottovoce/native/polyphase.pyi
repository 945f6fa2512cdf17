from collections.abc import Callable
from typing import Self, TypeAlias, final

import numpy as np
import numpy.typing as npt

TIERS: tuple[str, ...]

_Audio: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.int16]

@final
class StreamResampler:
    def __new__(
        cls,
        in_samplerate: int,
        out_samplerate: int,
        channels: int,
        quality: str,
        on_int16: Callable[[], object] | None = None,
        adapt: Callable[[_Audio], _Audio] | None = None,
    ) -> Self: ...
    @property
    def latency_frames(self) -> float: ...
    @property
    def flush_frames(self) -> int: ...
    @property
    def is_fixed(self) -> bool: ...
    @property
    def table_bytes(self) -> int: ...
    def out_frames(self, in_frames: int) -> int: ...
    def process(self, x: _Audio) -> _Audio: ...
    def process_into(self, x: _Audio, out: _Audio) -> int: ...
    def flush(self) -> _Audio: ...
    def reset(self) -> None: ...
