"""Recordings read as a stream: any rate, any channel count, memory independent of length."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from sottovoce.audio.downmix import Downmix
from sottovoce.audio.resampler import Resampler
from sottovoce.core.errors import AudioFileError, BackendUnavailableError, ConfigError
from sottovoce.core.formats import check_samplerate
from sottovoce.core.types import Mono

_FORMATS = "WAV, FLAC, OGG, MP3"
_CONVERT_HINT = "convert it: ffmpeg -i FILE out.wav"

#: Sizes that writers to a pipe put in a header, meaning "to the end of the file".
_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0xFFFFFFFF, 0xFFFFFFFF - 36, 0x80000000)


class AudioFile:
    """A recording as mono chunks at the rate wanted.

    Channels in which anything is heard are averaged, :class:`Resampler` at ``"hq"`` brings them to the rate and carries
    its state over chunks, and samples that are no numbers become silence. A file that ends early is read as far as it
    goes, and says so in :attr:`truncated`.

    Parameters
    ----------
    path : str or Path
        WAV, FLAC, OGG or MP3, and whatever else libsndfile reads.
    samplerate : int
        Rate of the chunks in Hz.
    chunk_s : float
        Length of a chunk as read from the file, in seconds; resampling makes them vary somewhat.

    Raises
    ------
    AudioFileError
        (a ValueError) if there is no such file, or it is no audio, or holds none; ``.hint`` says what to do.
    BackendUnavailableError
        (an ImportError) if soundfile is not installed.

    Examples
    --------
    >>> with AudioFile("question.flac") as recording:            # doctest: +SKIP
    ...     for chunk in recording:
    ...         listen(chunk)
    """

    def __init__(self, path: str | Path, samplerate: int = 16000, *, chunk_s: float = 0.1) -> None:
        self.path = Path(path)
        self.samplerate = check_samplerate(samplerate)
        if not chunk_s > 0.0:
            raise ConfigError(f"chunk_s is {chunk_s}; it must be above 0", key="chunk_s")
        self._check_path()
        self._soundfile = _load_soundfile()
        try:
            self._file: Any = self._soundfile.SoundFile(str(self.path))
        except self._soundfile.LibsndfileError as error:
            raise AudioFileError(
                f"{self.path} is not audio that can be read: {error.error_string}",
                path=self.path,
                hint=f"allowed: {_FORMATS}; {_CONVERT_HINT}",
            ) from error
        self.source_samplerate = int(self._file.samplerate)
        self.source_channels = int(self._file.channels)
        self.format = str(self._file.format)
        self.subtype = str(self._file.subtype)
        #: Frames of the file as its header tells.
        self.source_frames = int(self._file.frames)
        self._downmix = Downmix(self.source_channels, self.source_samplerate)
        #: Whether the file ends before its header says it would; known for a WAV at once, else when it was read.
        self.truncated = _wav_is_cut(self.path)
        #: Samples that were no numbers and became silence.
        self.scrubbed_samples = 0
        self._read_frames = 0
        self._chunk_frames = max(1, round(chunk_s * self.source_samplerate))
        if self.source_frames == 0:
            self._file.close()
            raise AudioFileError(
                f"{self.path} holds no audio: its length is 0 frames", path=self.path, hint="record it again"
            )

    @property
    def duration_s(self) -> float:
        """Length in seconds as the header tells."""
        return self.source_frames / self.source_samplerate

    @property
    def position_s(self) -> float:
        """How far it was read, in seconds of the file."""
        return self._read_frames / self.source_samplerate

    @property
    def progress(self) -> float:
        """How far it was read, 0 to 1."""
        return min(1.0, self._read_frames / self.source_frames)

    def __iter__(self) -> Iterator[Mono]:
        """Chunks, float32 of shape (frames,), from where reading is; none is empty."""
        resampler = None
        if self.source_samplerate != self.samplerate:
            resampler = Resampler(self.source_samplerate, self.samplerate, 1, quality="hq")
        for mono in self._source_chunks():
            chunk: Mono = np.asarray(resampler.process(mono), np.float32) if resampler else mono
            if chunk.size:
                yield chunk
        if resampler is not None and self._read_frames:
            tail: Mono = np.asarray(resampler.flush(), np.float32)
            if tail.size:
                yield tail

    @property
    def warning(self) -> str:
        """What was wrong with the file and passed over; empty if nothing was, or was not met yet."""
        faults = []
        if self.truncated:
            faults.append("ends early: its header promises more than it holds")
        if self.scrubbed_samples:
            faults.append(f"{self.scrubbed_samples} samples are no numbers and became silence")
        if self._downmix.problem:
            faults.append(self._downmix.problem)
        return "; ".join(faults)

    def read(self) -> Mono:
        """All that is left, in one array of shape (frames,); for short files."""
        chunks = list(self)
        return np.concatenate(chunks) if chunks else np.empty(0, dtype=np.float32)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _source_chunks(self) -> Iterator[Mono]:
        while True:
            try:
                block = self._file.read(self._chunk_frames, dtype="float32", always_2d=True)
            except self._soundfile.LibsndfileError:  # a decoder that meets the end of a cut file, or damage within
                self.truncated = True
                return
            if not block.shape[0]:
                self.truncated = self.truncated or self._read_frames < self.source_frames
                return
            self._read_frames += block.shape[0]
            yield self._to_mono(block)

    def _to_mono(self, block: Mono) -> Mono:
        finite = np.isfinite(block)
        if not finite.all():
            self.scrubbed_samples += int(block.size - np.count_nonzero(finite))
            block = np.where(finite, block, np.float32(0.0))
        return self._downmix.mix(block)

    def _check_path(self) -> None:
        if self.path.is_dir():
            raise AudioFileError(f"{self.path} is a folder", path=self.path, hint="name the files in it")
        if not self.path.exists():
            raise AudioFileError(f"there is no file {self.path}", path=self.path, hint="check the spelling")
        try:
            with self.path.open("rb") as file:
                empty = not file.read(1)
        except OSError as error:
            raise AudioFileError(
                f"{self.path} cannot be read: {error.strerror}", path=self.path, hint="check its permissions"
            ) from error
        if empty:
            raise AudioFileError(f"{self.path} is empty: 0 bytes", path=self.path, hint="record or copy it again")


def _load_soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the module is there, libsndfile is not
        raise BackendUnavailableError(
            f"recordings cannot be read without soundfile: {error}",
            backend="soundfile",
            install_hint="pip install 'sottovoce[offline]'",
        ) from error
    return soundfile


def _wav_is_cut(path: Path) -> bool:
    """Whether the data chunk of a WAV reaches beyond the end of the file.

    libsndfile silently takes what is there, so the header has to be asked.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            return False
        while len(chunk := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", chunk)
            if name == b"data":
                return length not in _UNKNOWN_SIZES and file.tell() + length > size
            file.seek(length + length % 2, 1)
    return False
