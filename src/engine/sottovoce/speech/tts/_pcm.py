"""What services send as sound, made into what the engine takes."""

from __future__ import annotations

import io
import unicodedata
import wave
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import numpy.typing as npt

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.core.formats import to_float32
from sottovoce.core.types import Mono

#: Length (s) of the pieces that a sound which came whole is given in.
PIECE_S = 0.1


def speakable(text: str) -> str:
    """The text without what cannot be spoken; empty if no word is left."""
    plain = "".join(" " if unicodedata.category(char).startswith("C") else char for char in text).strip()
    return plain if any(char.isalnum() for char in plain) else ""


def within_bytes(text: str, limit: int) -> str:
    """As much of the text as fits into ``limit`` bytes of UTF-8, up to the end of a word if there is one."""
    data = text.encode()
    if len(data) <= limit:
        return text
    cut = data[:limit].decode(errors="ignore")
    return cut.rpartition(" ")[0] or cut


def chunks_of(
    pieces: Iterator[bytes], volume: float, cut: Callable[[], BackendError], cancel: CancelToken
) -> Iterator[Mono]:
    """Chunks of speech from pieces of mono int16, little-endian, wherever those were parted.

    Parameters
    ----------
    volume : float
        What the sound is multiplied by; what becomes too loud is clipped.
    cut : callable
        Makes the error that is raised if the last sample is half there, unless ``cancel`` tells why.
    """
    carry = b""
    with closing(pieces):  # type: ignore[type-var]
        for piece in pieces:
            data = carry + piece
            whole = len(data) - len(data) % 2
            carry = data[whole:]
            if whole:
                sound = to_float32(np.frombuffer(data[:whole], "<i2"))
                yield sound if volume == 1 else np.clip(sound * np.float32(volume), -1.0, 1.0)
    if carry and not cancel.cancelled:
        raise cut()


def pieces_of_wav(clip: bytes, samplerate: int) -> Iterator[bytes]:
    """The sound of a WAV file as mono int16 at ``samplerate`` (Hz), in pieces of :data:`PIECE_S`.

    Raises
    ------
    ValueError
        It is no WAV file of int16.
    EOFError
        It ends before its header says that it does.
    """
    try:
        with wave.open(io.BytesIO(clip)) as file:
            params = file.getparams()
            data = file.readframes(params.nframes)
    except (wave.Error, EOFError) as error:
        raise ValueError(f"no WAV file: {error}") from None
    if params.sampwidth != 2:
        raise ValueError(f"samples of {8 * params.sampwidth} bits")
    if len(data) < params.nframes * params.nchannels * 2:
        raise EOFError
    if params.nchannels > 1 or params.framerate != samplerate:
        data = _converted(data, params.nchannels, params.framerate, samplerate)
    size = 2 * round(PIECE_S * samplerate)
    return (data[at : at + size] for at in range(0, len(data), size))


def _converted(data: bytes, channels: int, from_hz: int, to_hz: int) -> bytes:
    import soxr

    sound = np.frombuffer(data, "<i2").reshape(-1, channels).mean(axis=1)
    limits = np.iinfo(np.int16)
    converted: npt.NDArray[np.float64] = soxr.resample(sound, from_hz, to_hz)
    return np.clip(np.rint(converted), limits.min, limits.max).astype("<i2").tobytes()
