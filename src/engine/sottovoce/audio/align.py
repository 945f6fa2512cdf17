"""Streams of different devices on one clock, that of the microphone. Pure: no thread, and time is an argument.

Each device counts its frames by a clock of its own. Where on the machine's clock its frames lie is told by its blocks:
one that arrives at ``t`` and ends with second ``p`` of its stream says that second 0 was at ``t - p`` or before. The
earliest of the last two seconds is the truth less the constant delay of the device, whatever the scheduler did. So the
frames of two devices that were captured at the same time are known, and what the one clock gains on the other is made
up for by a resampler whose ratio follows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from sottovoce.audio.drift import DriftController, DriftSettings, VariableResampler
from sottovoce.core.paired import PairedBlock
from sottovoce.core.types import Mono
from sottovoce.core.units import s_to_frames

#: Streams that are put beside that of the microphone.
Beside: TypeAlias = Literal["loopback", "own"]

#: How long the earliest block counts (s), in steps of which so many are kept.
_STEP_S, _STEPS = 0.5, 4

#: Beyond this, what a stream is off is put right at once (s); below, by the resampler.
_JUMP_S = 0.02
#: So long (s) after a stream has begun, where it lies is known well enough to put it there, by more than a little (s).
_SETTLED_S, _SETTLED_OFF_S = 1.0, 0.001

#: How quickly a difference of the clocks is followed, and how long the measured offset is averaged: an offset is known
#: some 30 times a second here, better than the level of a ring is.
_BANDWIDTH_RAD_S, _SMOOTHING_S = 0.1, 0.5

#: Stands for the level of a ring with which the controller has to do: any that is high enough for the largest offset.
_LEVEL_S = 1.0


@dataclass(frozen=True, slots=True)
class Capture:
    """How much a device has captured, and when.

    Attributes
    ----------
    stream : tuple of int
        Changes whenever the device was opened anew, or frames were lost: frames of two streams have a gap between them.
    captured_s : float
        Seconds captured since the first stream began.
    at_ns : int
        When the newest of them arrived, on the machine's clock.
    """

    stream: tuple[int, int]
    captured_s: float
    at_ns: int


@dataclass(frozen=True, slots=True)
class AlignSettings:
    """How streams are put beside each other.

    Attributes
    ----------
    samplerate : int
        Of all streams, in Hz.
    block_frames : int
        What is given is a multiple of this.
    patience_s : float
        How long a stream may be late before it is taken for silent, and the others go on.
    max_ppm : float
        The most by which two clocks are expected to differ.
    """

    samplerate: int = 16_000
    block_frames: int = 512
    patience_s: float = 0.2
    max_ppm: float = 500.0


class StreamZero:
    """Where second 0 of a stream lies on the machine's clock: the earliest that blocks of late allow."""

    def __init__(self) -> None:
        self._steps: deque[tuple[int, int]] = deque(maxlen=_STEPS)  # number of the step, earliest zero in it (ns)
        self._stream: tuple[int, int] | None = None
        self._since_ns = 0

    def note(self, capture: Capture) -> bool:
        """Take what a device has captured; True if a new stream has begun."""
        began = capture.stream != self._stream
        if began:
            self._steps.clear()
            self._stream, self._since_ns = capture.stream, capture.at_ns
        zero_ns = capture.at_ns - round(capture.captured_s * 1e9)
        step = int(capture.at_ns / (_STEP_S * 1e9))
        if self._steps and self._steps[-1][0] == step:
            self._steps[-1] = (step, min(zero_ns, self._steps[-1][1]))
        else:
            self._steps.append((step, zero_ns))
        return began

    @property
    def ns(self) -> int | None:
        """None before the first block."""
        return min(zero_ns for _, zero_ns in self._steps) if self._steps else None

    def age_s(self, now_ns: int) -> float:
        """Since when this stream is known, in seconds."""
        return (now_ns - self._since_ns) / 1e9


class _Line:
    """Frames that wait to be given."""

    def __init__(self) -> None:
        self._blocks: deque[Mono] = deque()
        self.frames = 0

    def append(self, block: Mono) -> None:
        self._blocks.append(block)
        self.frames += len(block)

    def be_silent_first(self, frames: int) -> None:
        self._blocks.appendleft(np.zeros(frames, np.float32))
        self.frames += frames

    def take(self, frames: int) -> Mono:
        taken = [np.zeros(0, np.float32)]
        self.frames -= frames
        while frames > 0:
            block = self._blocks.popleft()
            if len(block) > frames:
                self._blocks.appendleft(block[frames:])
                block = block[:frames]
            taken.append(block)
            frames -= len(block)
        return np.concatenate(taken)


class _Stream:
    """One stream beside the microphone's: its frames, brought to the microphone's clock."""

    def __init__(self, settings: AlignSettings) -> None:
        self._samplerate = rate = settings.samplerate
        self.line = _Line()
        self.zero = StreamZero()
        self.there = False
        self.moved = False
        self.offset_s = 0.0
        self._fresh = False
        self._fed = 0
        self._settled = False
        self._resampler = VariableResampler(rate, rate, 1, "standard")
        self._behind_frames = round(self._resampler.latency_frames)
        self._drift = DriftController(
            DriftSettings(s_to_frames(_LEVEL_S, rate), rate, _BANDWIDTH_RAD_S, _SMOOTHING_S, settings.max_ppm)
        )

    @property
    def drift_ppm(self) -> float:
        return self._drift.drift_ppm

    @property
    def present(self) -> bool:
        return self.there or self._fresh

    def hear(self, audio: Mono, capture: Capture | None) -> None:
        if capture is not None and self.zero.note(capture):
            self.unsettle()
            self._drift.reset()
            self._resampler.set_ratio(1.0)
        if len(audio):
            self._fresh = True
            self._fed += len(audio)
            self.line.append(self._resampler.process(np.ascontiguousarray(audio, np.float32)))

    def unsettle(self) -> None:
        """It, or what it is put beside, is another stream: where it lies is known but roughly for a moment."""
        self._settled = False

    def place(self, beside_ns: float, elapsed_s: float, age_s: float) -> None:
        """Put it where it belongs: its next frame comes beside what the microphone has captured at ``beside_ns``.

        ``age_s`` is how long both streams are known.
        """
        zero_ns = self.zero.ns
        if zero_ns is None or not self.present:
            return
        captured_ns = zero_ns + max(0, self._fed - self._behind_frames) * 1e9 / self._samplerate
        self.offset_s = (captured_ns - beside_ns) / 1e9
        settles = not self._settled and age_s >= _SETTLED_S
        if not self.there or abs(self.offset_s) > _JUMP_S or (settles and abs(self.offset_s) > _SETTLED_OFF_S):
            self._jump(s_to_frames(self.offset_s, self._samplerate))
        elif self._settled:
            level_frames = max(0.0, (_LEVEL_S - self.offset_s) * self._samplerate)
            slew_frames = min(s_to_frames(elapsed_s, self._samplerate), self._samplerate)
            self._resampler.set_ratio(self._drift.update(level_frames, elapsed_s), slew_frames)
        self._settled = self._settled or settles
        self.there, self._fresh = True, False

    def _jump(self, frames: int) -> None:
        """Come so many frames later, after silence; or, below 0, earlier, without the oldest frames."""
        if frames > 0:
            self.line.be_silent_first(frames)
        else:
            self.line.take(min(-frames, self.line.frames))
        self.moved = True
        self.offset_s = 0.0

    def wait_no_longer(self, frames: int, patience_frames: int) -> None:
        """Have ``frames`` ready: of one that is late by more than the patience, or away, silence."""
        missing = frames - self.line.frames
        if missing > (patience_frames if self.there else 0):
            self.line.append(np.zeros(missing, np.float32))
            self.there = False


class Aligner:
    """Puts what the machine plays, and what we play ourselves, beside what the microphone hears.

    One that goes away is silence from then on, and the others go on; once it is back, it is put where it belongs. Used
    by one thread. Holds at most `patience_s` of each stream, and what was heard at once.

    Parameters
    ----------
    settings : AlignSettings, optional
        How.
    """

    def __init__(self, settings: AlignSettings | None = None) -> None:
        self.settings = settings or AlignSettings()
        self._line = _Line()  # of the microphone
        self._zero = StreamZero()
        self._there = False
        self._shift = 0  # frames of silence given in the place of a microphone that was away
        self._streams: dict[Beside, _Stream] = {name: _Stream(self.settings) for name in get_args(Beside)}
        self._given = 0
        self._last_ns = 0
        self._patience_frames = s_to_frames(self.settings.patience_s, self.settings.samplerate)

    def hear_microphone(self, audio: Mono, capture: Capture | None) -> None:
        """Take what the microphone has heard next; ``capture`` is None where that is not known at the moment."""
        if capture is not None:
            if self._zero.note(capture):
                for stream in self._streams.values():
                    stream.unsettle()
            self._there = self._there or len(audio) > 0
        if len(audio):
            self._line.append(audio)

    def hear(self, name: Beside, audio: Mono, capture: Capture | None) -> None:
        """Take what another stream has brought next."""
        self._streams[name].hear(audio, capture)

    def take(self, now_ns: int) -> PairedBlock | None:
        """What is known of all streams by now; None if that is not a block."""
        elapsed_s = max(0.0, (now_ns - self._last_ns) / 1e9) if self._last_ns else 0.0
        self._last_ns = now_ns
        if self._there:
            self._place(elapsed_s, now_ns)
        self._wait_no_longer()
        ready = min([self._line.frames, *(stream.line.frames for stream in self._streams.values())])
        frames = ready - ready % self.settings.block_frames
        return self._give(frames) if frames else None

    def _place(self, elapsed_s: float, now_ns: int) -> None:
        zero_ns = self._zero.ns
        if zero_ns is None:
            return
        for stream in self._streams.values():
            frame = self._given + stream.line.frames - self._shift  # of the microphone, beside its next one
            age_s = min(self._zero.age_s(now_ns), stream.zero.age_s(now_ns))
            stream.place(zero_ns + frame * 1e9 / self.settings.samplerate, elapsed_s, age_s)

    def _wait_no_longer(self) -> None:
        ahead = max((stream.line.frames for stream in self._streams.values() if stream.present), default=0)
        missing = ahead - self._line.frames
        if missing > (self._patience_frames if self._there else 0):
            self._line.append(np.zeros(missing, np.float32))
            self._shift += missing
            self._there = False
        for stream in self._streams.values():
            stream.wait_no_longer(self._line.frames, self._patience_frames)

    def _give(self, frames: int) -> PairedBlock:
        loopback, own = self._streams["loopback"], self._streams["own"]
        start, self._given = self._given, self._given + frames
        played = own.line.take(frames)
        block = PairedBlock(
            start_frame=start,
            microphone=self._line.take(frames),
            loopback=loopback.line.take(frames),
            own=played,
            microphone_there=self._there,
            loopback_there=loopback.there,
            own_sounds=bool(played.any()),
            offset_s=loopback.offset_s,
            drift_ppm=loopback.drift_ppm,
            loopback_moved=loopback.moved,
            own_moved=own.moved,
        )
        loopback.moved = own.moved = False
        return block
