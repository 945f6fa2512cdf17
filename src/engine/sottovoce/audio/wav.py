"""A mixer rendered into a WAV file: no PortAudio, no device, the same compiled code."""

from __future__ import annotations

import logging
import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.output import Feed
from sottovoce.audio.report import StreamReport
from sottovoce.core.errors import AudioFileError, StreamError
from sottovoce.core.formats import to_int16
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.types import Block

_logger = get_logger("audio")

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_MAX_DATA_BYTES = 0xFFFFFFFF - _HEADER.size
_SAMPLE_BYTES = 2

#: A disk that takes longer than this for what is queued hangs.
_CLOSE_LIMIT_S = 30.0


class WavWriter:
    """A 16-bit WAV file that is complete at every moment.

    It grows beside its place, as ``<name>.part``, its header brought up to date every second of sound, and takes
    its place when it is closed. So a reader never sees half a file, and a killed writer leaves a valid one.

    Parameters
    ----------
    path : Path
        Where it is to be; its folder must exist.
    samplerate : int
        Rate in Hz.
    channels : int
        Channels.

    Raises
    ------
    AudioFileError
        If the file cannot be made.
    """

    def __init__(self, path: Path, samplerate: int, channels: int) -> None:
        self.path = path
        self.frames = 0
        self._samplerate, self._channels = samplerate, channels
        self._header_frames = 0
        self._part = path.with_name(path.name + ".part")
        try:
            self._file: BinaryIO = self._part.open("wb")
        except OSError as error:
            raise AudioFileError(
                f"cannot write {path}: {error.strerror}", path=path, hint="name a folder that exists and is yours"
            ) from error
        self._write_header()

    def write(self, block: Block) -> None:
        """Append float32 frames, shape (frames, channels)."""
        self._file.write(to_int16(block).astype("<i2", copy=False).tobytes())
        self.frames += block.shape[0]
        if self.frames - self._header_frames >= self._samplerate:
            self._write_header()

    def close(self) -> None:
        """Put the file in its place."""
        try:
            self._write_header()
        finally:
            self._file.close()
        os.replace(self._part, self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()  # what was written stays in the .part file

    def _write_header(self) -> None:
        frame_bytes = self._channels * _SAMPLE_BYTES
        # beyond 4 GiB the size stays at its limit, which readers take for "to the end of the file"
        data_bytes = min(self.frames * frame_bytes, _MAX_DATA_BYTES)
        header = _HEADER.pack(
            *(b"RIFF", data_bytes + _HEADER.size - 8, b"WAVE", b"fmt ", 16, 1, self._channels, self._samplerate),
            *(self._samplerate * frame_bytes, frame_bytes, 8 * _SAMPLE_BYTES, b"data", data_bytes),
        )
        self._file.seek(0)
        self._file.write(header)
        self._file.seek(0, os.SEEK_END)
        self._file.flush()
        self._header_frames = self.frames


class WavOutput:
    """Writes what would be heard into a 16-bit WAV file.

    Parameters
    ----------
    path : str or Path
        The file; it appears, whole, when the player is closed.
    paced : bool
        True: in real time, silence included, as a device would play it. False: as fast as sound arrives, and sound
        only.
    blocksize : int
        Frames of a block.
    """

    latency_s = 0.0

    def __init__(self, path: str | Path, *, paced: bool = True, blocksize: int = 480) -> None:
        self.path = Path(path)
        self.live = paced
        self.failure: Exception | None = None
        self.blocksize = blocksize
        self._wake = threading.Event()
        self._closing = False
        self._feed: Feed | None = None
        self._writer: WavWriter | None = None
        self._thread: threading.Thread | None = None

    @property
    def frames(self) -> int:
        """Frames written so far."""
        return self._writer.frames if self._writer else 0

    def negotiate(self, samplerate: int, channels: int) -> tuple[int, int]:
        """A file takes any format."""
        return samplerate, channels

    def start(self, feed: Feed) -> None:
        """Make the file and render what ``feed`` has.

        Raises
        ------
        AudioFileError
            If the file cannot be made.
        """
        if self._thread is not None:
            raise StreamError("the output was started before; make a new one")
        self._feed = feed
        self._writer = WavWriter(self.path, feed.mixer.samplerate, feed.mixer.channels)
        target = self._render_paced if self.live else self._render_unpaced
        self._thread = threading.Thread(
            target=self._render, args=(target, feed, self._writer), name="sottovoce-wav", daemon=True
        )
        self._thread.start()

    def wake(self, *, soon: bool = False) -> None:
        """There may be something new to render, or (``soon``) there will be."""
        if not self.live:
            self._wake.set()

    def close(self) -> None:
        """Put the file in its place; if it is not paced, with all that is queued."""
        if self._thread is None or self._closing:
            return
        self._closing = True
        self._wake.set()
        self._thread.join(_CLOSE_LIMIT_S)
        if self._thread.is_alive():
            log_event(_logger, logging.WARNING, "the file system hangs: recording left to itself", path=self.path)

    def report(self) -> StreamReport:
        """A picture of the output; it has no callback to report on."""
        running = self._thread is not None and self._thread.is_alive()
        mixer = self._feed.mixer if self._feed else None
        return StreamReport(
            state=StreamState.RUNNING if running else StreamState.LOST if self.failure else StreamState.CLOSED,
            generation=1 if running else 0,
            device=str(self.path),
            device_id=None,
            samplerate=mixer.samplerate if mixer else 0,
            channels=mixer.channels if mixer else 0,
            blocksize=self.blocksize,
            latency_s=0.0,
        )

    def newest_block(self) -> tuple[int, int]:
        """No device waits for its blocks."""
        return 0, 0

    def _render(self, render: Callable[[Feed, WavWriter], None], feed: Feed, writer: WavWriter) -> None:
        try:
            with writer:
                render(feed, writer)
        except OSError as error:  # a full disk, a pulled stick
            self.failure = AudioFileError(
                f"cannot write {self.path}: {error.strerror}", path=self.path, hint="free some space"
            )
            log_event(_logger, logging.ERROR, "recording ends", reason=error.strerror, frames=writer.frames)
            feed.progressed()

    def _render_paced(self, feed: Feed, writer: WavWriter) -> None:
        block = np.empty((self.blocksize, feed.mixer.channels), dtype=np.float32)
        period_s = self.blocksize / feed.mixer.samplerate
        due_s = time.monotonic()
        while not self._closing:
            feed.mixer.render_into(block)
            writer.write(block)
            due_s += period_s
            late_s = time.monotonic() - due_s
            if late_s > 1.0:  # the machine slept: nobody would have heard that second from a device either
                due_s += late_s
            elif late_s < 0.0:
                self._wait_until(due_s)

    def _wait_until(self, due_s: float) -> None:
        while not self._closing:
            left_s = due_s - time.monotonic()
            if left_s <= 0.0:
                return
            self._wake.wait(left_s)
            self._wake.clear()

    def _render_unpaced(self, feed: Feed, writer: WavWriter) -> None:
        block = np.empty((self.blocksize, feed.mixer.channels), dtype=np.float32)
        while True:
            self._wake.clear()
            while feed.has_audio():
                feed.mixer.render_into(block)
                writer.write(block)
                feed.progressed()
            if self._closing:
                return
            self._wake.wait()
