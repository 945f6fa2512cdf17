"""What the monitor plays: nothing, a quiet tone, a file over and over, or what the microphone hears."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from sottovoce.audio.drift import DriftController, DriftSettings, VariableResampler
from sottovoce.audio.files import AudioFile
from sottovoce.audio.recorder import Recorder
from sottovoce.audio.source import PlayerSource
from sottovoce.core.errors import StreamClosedError
from sottovoce.core.types import Mono
from sottovoce.core.units import db_to_gain, s_to_frames

#: Level of the tone: heard, and not a nuisance.
TONE_DBFS = -30.0

#: Seconds that are made, or read from the microphone, at once.
CHUNK_S = 0.02


def tone(hz: float, samplerate: int) -> Iterator[Mono]:
    """A sine of :data:`TONE_DBFS` without an end, in chunks."""
    frames = s_to_frames(CHUNK_S, samplerate)
    start_frame = 0
    while True:
        # reduced to one turn before it is a float32, so that hours sound like the first second
        turns = (hz / samplerate * np.arange(start_frame, start_frame + frames)) % 1.0
        yield (db_to_gain(TONE_DBFS) * np.sin(2 * np.pi * turns)).astype(np.float32)
        start_frame += frames


def over_and_over(path: Path, samplerate: int) -> Iterator[Mono]:
    """A recording without an end, in chunks."""
    while True:
        with AudioFile(path, samplerate=samplerate) as file:
            yield from file


def feed(voice: PlayerSource, chunks: Iterator[Mono]) -> None:
    """Play ``chunks`` until they end or the player is closed."""
    with suppress(StreamClosedError):
        for chunk in chunks:
            voice.write(chunk)


def listen(recorder: Recorder, take: Callable[[Mono], None] | None = None) -> None:
    """Read the microphone until it is closed, so that it never runs over; ``take`` gets what it hears."""
    frames = s_to_frames(CHUNK_S, recorder.samplerate)
    with suppress(StreamClosedError):
        while len(block := recorder.read(frames)):
            if take is not None:
                take(np.ascontiguousarray(block[:, 0]))


class Through:
    """Plays what the microphone hears, though the clocks of both devices differ.

    Parameters
    ----------
    recorder : Recorder
        The microphone.
    voice : PlayerSource
        Where it is played; what it wants ready before it starts is the level that is held.
    target_s : float
        That level, in seconds.
    """

    def __init__(self, recorder: Recorder, voice: PlayerSource, target_s: float) -> None:
        self._recorder, self._voice = recorder, voice
        self._resampler = VariableResampler(recorder.samplerate, voice.samplerate, 1)
        self._target_s = target_s
        target_frames = s_to_frames(target_s, voice.samplerate)
        self._drift = DriftController(DriftSettings(target_frames, voice.samplerate))
        self._last_s: float | None = None

    def take(self, block: Mono) -> None:
        """Play a chunk of the microphone's."""
        voice, rate = self._voice, self._voice.samplerate
        queued_s = voice.queued_s
        if queued_s > 4 * self._target_s:  # the output has stood still: what it missed is too old to be heard
            voice.flush()
            self._drift.reset()
            self._last_s = None
        now_s = time.monotonic()
        elapsed_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        level = (queued_s + self._recorder.backlog_s) * rate
        nominal = rate / self._recorder.samplerate
        self._resampler.set_ratio(nominal * self._drift.update(level, elapsed_s), s_to_frames(CHUNK_S, rate))
        voice.write(self._resampler.process(block[:, None]), timeout_s=0.0)
