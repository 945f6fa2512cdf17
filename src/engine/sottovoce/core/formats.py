"""The one shape of audio inside: float32, (frames, channels), C-contiguous; made here from what a caller has."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sottovoce.core.errors import ConfigError
from sottovoce.core.types import Block
from sottovoce.native.channels import mix_channels
from sottovoce.native.convert import float32_to_int16, int16_to_float32, isa

#: What a caller may hand in; every sound card and file rate in use lies within.
MIN_SAMPLERATE, MAX_SAMPLERATE = 1_000, 768_000
MAX_CHANNELS = 64


def check_samplerate(samplerate: int, key: str = "samplerate") -> int:
    """``samplerate`` in Hz if it is usable, else a :class:`ConfigError` that names ``key``."""
    if isinstance(samplerate, bool) or int(samplerate) != samplerate:
        raise ConfigError(f"{key} is {samplerate!r}; a whole number of Hz is needed", key=key)
    if not MIN_SAMPLERATE <= samplerate <= MAX_SAMPLERATE:
        raise ConfigError(
            f"{key} is {samplerate}; allowed: {MIN_SAMPLERATE} to {MAX_SAMPLERATE} Hz",
            key=key,
            hint="give it in Hz: 48000, not 48",
        )
    return int(samplerate)


def check_channels(channels: int, key: str = "channels") -> int:
    """``channels`` if it is usable, else a :class:`ConfigError` that names ``key``."""
    if isinstance(channels, bool) or int(channels) != channels or not 1 <= channels <= MAX_CHANNELS:
        raise ConfigError(f"{key} is {channels!r}; allowed: 1 to {MAX_CHANNELS}", key=key)
    return int(channels)


def as_block(x: npt.NDArray[Any], channels: int) -> Block:
    """Audio in the one shape of the engine, copied only where needed.

    Parameters
    ----------
    x : ndarray
        float32 in [-1, 1] or int16, shape (frames,) for mono or (frames, channels). int16 is divided by 32768.
    channels : int
        Channels wanted. Mono is taken too: duplicated to two, on the first of more. Other counts must agree.

    Returns
    -------
    Block
        float32, shape (frames, channels), C-contiguous; ``x`` itself if it is that already.

    Raises
    ------
    ConfigError
        (a ValueError) if dtype, shape or channel count is not allowed.
    """
    block = _as_frames_by_channels(_as_float32(_as_supported(x)))
    if block.shape[1] == channels:
        return np.ascontiguousarray(block)
    if block.shape[1] != 1:
        raise ConfigError(
            f"x has {block.shape[1]} channels; allowed: {channels} or 1",
            key="x",
            hint="shape is (frames, channels); transpose if yours is (channels, frames)",
        )
    return spread_channels(np.ascontiguousarray(block), channels)


def spread_channels(block: Block, channels: int) -> Block:
    """``block`` with ``channels`` channels: mono to stereo duplicated, stereo to mono averaged, else the first ones
    copied and spare ones silent.
    """
    if block.shape[1] == channels:
        return block
    out = np.empty((block.shape[0], channels), dtype=np.float32)
    if block.shape[0]:
        mix_channels(block, out)
    return out


def to_float32(x: npt.NDArray[np.int16]) -> Block:
    """int16 as float32 in [-1, 1), same shape: every value divided by 32768."""
    source = np.ascontiguousarray(x)
    out = np.empty(source.shape, dtype=np.float32)
    if source.size:
        int16_to_float32(source, out)
    return out


def to_int16(x: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """float32 as int16, same shape: clipped to [-1, 1 - 1/32768]; NaN becomes silence."""
    source = np.ascontiguousarray(x)
    out = np.empty(source.shape, dtype=np.int16)
    if source.size:
        float32_to_int16(source, out)
    return out


def instruction_set() -> str:
    """Name of the instruction set that the compiled core has chosen on this machine."""
    return isa()


def _as_supported(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array = np.asarray(x)
    if array.dtype != np.float32 and array.dtype != np.int16:
        hint = "x.astype(numpy.float32)" if array.dtype.kind == "f" else ""
        raise ConfigError(f"dtype of x is {array.dtype}; allowed: float32 in [-1, 1], int16", key="x", hint=hint)
    return array


def _as_float32(x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return to_float32(x) if x.dtype == np.int16 else x


def _as_frames_by_channels(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if x.ndim == 1:
        return x.reshape(-1, 1)
    if x.ndim != 2 or x.shape[1] < 1:
        raise ConfigError(f"shape of x is {x.shape}; allowed: (frames,) or (frames, channels)", key="x")
    return x
