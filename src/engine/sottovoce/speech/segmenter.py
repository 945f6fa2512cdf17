"""Cuts a stream of audio into the intervals in which somebody speaks. Pure: no thread, no clock, no I/O."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import median
from typing import NamedTuple, TypeAlias

import numpy as np

from sottovoce.core.errors import ConfigError
from sottovoce.core.types import Mono
from sottovoce.core.units import frames_to_s, s_to_frames
from sottovoce.speech.vad import (
    NOISE_FLATNESS,
    NOISE_MEDIAN_FLATNESS,
    LevelGate,
    VoiceActivityDetector,
    level_dbfs,
    spectral_flatness,
)


@dataclass(frozen=True, slots=True)
class SegmenterSettings:
    """When a segment starts, ends, and is worth being looked at.

    Attributes
    ----------
    pre_roll_ms : int
        Audio kept from before the first block of speech, so that no first consonant is lost.
    hang_over_ms : int
        Silence that ends a segment.
    short_hang_over_ms : int
        Silence that ends one whose words are known to be a whole question: see :meth:`Segmenter.hasten`.
    pause_ms : int
        Silence after which the segment is given as it would be if it ended there, so that work on it may begin; 0 for
        never.
    pause_again_ms : int
        The same within a second of the pause before: speech is full of short silences, and work on all of them is in
        vain; no more than `pause_ms` makes no difference.
    tail_ms : int
        How much of that silence stays in the segment's audio; a recogniser needs some, and works through all of it.
    min_segment_ms : int
        Shorter segments are ignored. Pre-roll and hang-over count in full, even where a recording has been cut so
        close that they are not all there: with the defaults, 600 ms of speech pass and a cough does not.
    max_segment_s : float
        A longer speech is cut at the best pause in its last half.
    onset_ms : int
        Speech that makes a start; what is shorter is a click.
    threshold : float
        Probability from which a block is speech.
    release : float
        Part of ``threshold`` that is enough while somebody speaks: within speech a weak block is more likely speech.
    check_flatness : bool or None
        Overrule the detector where a block looks like noise; None: if the detector is WebRTC's, which needs it.
    """

    pre_roll_ms: int = 300
    hang_over_ms: int = 600
    short_hang_over_ms: int = 350
    pause_ms: int = 0
    pause_again_ms: int = 0
    tail_ms: int = 300
    min_segment_ms: int = 1500
    max_segment_s: float = 30.0
    onset_ms: int = 60
    threshold: float = 0.6
    release: float = 0.7
    check_flatness: bool | None = None

    def __post_init__(self) -> None:
        for key in ("pre_roll_ms", "tail_ms", "min_segment_ms", "pause_ms", "pause_again_ms"):
            self._require(key, getattr(self, key) >= 0, "0 or more")
        for key in ("hang_over_ms", "short_hang_over_ms", "onset_ms"):
            self._require(key, getattr(self, key) > 0, "more than 0")
        self._require("max_segment_s", self.max_segment_s >= 1.0, "1 or more")
        for key in ("threshold", "release"):
            self._require(key, 0.0 < getattr(self, key) <= 1.0, "more than 0, at most 1")

    def _require(self, key: str, good: bool, allowed: str) -> None:
        if not good:
            raise ConfigError(f"{key} is {getattr(self, key)!r}; allowed: {allowed}", key=key, hint="see the settings")


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody has begun to speak, at ``at_s`` seconds of the stream; no Segment follows if it is short or noise."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Segment:
    """One interval of speech, or one piece of a speech too long for one (then several follow one SpeechStarted).

    Attributes
    ----------
    audio : Mono
        Shape (frames,), at the detector's samplerate: pre-roll, speech and the kept part of the hang-over.
    start_s, end_s : float
        Where ``audio`` lies, in seconds of the stream.
    speech_end_s : float
        Where speech truly ended: before the hang-over. Latency counts from here.
    number : int
        1, 2, 3 ...
    revision : int
        Of the pause that it ends with, from 1; 0 if there was none.
    """

    audio: Mono
    start_s: float
    end_s: float
    speech_end_s: float
    number: int
    revision: int = 0


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """The segment that is being spoken, as far as it has been heard.

    Attributes
    ----------
    number : int
        That it will have if it counts in the end; else the next one has it.
    start_frame, end_frame : int
        Where what has been heard of it lies in the stream.
    """

    number: int
    start_frame: int
    end_frame: int


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """Somebody pauses; ``segment`` is what it will be if nothing more is said, less the silence still to come.

    Either a Segment of the same number and revision follows, with the same speech, or SpeechResumed.
    """

    segment: Segment


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """It was but a pause: what was made of that revision of the segment is void."""

    number: int
    revision: int


SegmenterEvent: TypeAlias = SpeechStarted | SpeechPaused | SpeechResumed | Segment


class _Heard(NamedTuple):
    block: Mono
    start_frame: int
    level: float
    speech: bool
    flatness: float | None  # of what the detector has called speech, where that is checked

    @property
    def end_frame(self) -> int:
        return self.start_frame + len(self.block)


# Blocks that the detector is given once the gate opens, so that a recurrent one does not start without context
_CONTEXT_BLOCKS = 2
# What is compared where a long speech has no silence to be cut at: some 100 ms
_QUIET_BLOCKS = 3
# A pause so long (s) after another one is noticed as soon as the first
_PAUSE_AGAIN_S = 1.0
# How long the gate stays open after the last loud block: shorter than a pause between words would chop the context
_GATE_HOLD_S = 0.3


class Segmenter:
    """Finds segments in a stream of any length; the same ones however the stream is cut into chunks.

    Pauses are told of at the end of a chunk alone: one that is over by then is of no use to anybody.

    Memory is bounded by ``max_segment_s``, whatever the length of the stream.

    Parameters
    ----------
    vad : VoiceActivityDetector
        Decides about blocks; it belongs to this segmenter from now on.
    settings : SegmenterSettings, optional
        When a segment starts, ends and counts.
    gate : LevelGate, optional
        Spares the detector what is too quiet to be speech.

    Attributes
    ----------
    ignored_short : int
        Segments that were too short.
    ignored_noise : int
        Times that the detector took noise for speech, and the flatness of its spectrum gave it away.
    """

    def __init__(
        self, vad: VoiceActivityDetector, settings: SegmenterSettings | None = None, gate: LevelGate | None = None
    ) -> None:
        self.settings = settings or SegmenterSettings()
        self.samplerate = vad.samplerate
        self.ignored_short = 0
        self.ignored_noise = 0
        self._vad = vad
        self._gate = gate or LevelGate()
        self._block_s = vad.blocksize / vad.samplerate
        flatness = self.settings.check_flatness
        self._check_flatness = vad.name == "webrtc" if flatness is None else flatness
        self._onset_blocks = self._blocks(self.settings.onset_ms)
        self._max_frames = s_to_frames(self.settings.max_segment_s, vad.samplerate)
        # enough for the pre-roll of a start that was found late because a silent block lay between its first ones
        self._history: deque[_Heard] = deque(maxlen=self._blocks(self.settings.pre_roll_ms) + 3 * self._onset_blocks)
        self._rest = np.zeros(0, np.float32)
        self._frames = 0
        self._number = 0
        self._forget()

    @property
    def position_s(self) -> float:
        """Seconds of the stream fed so far."""
        return frames_to_s(self._frames + len(self._rest), self.samplerate)

    @property
    def speaking(self) -> bool:
        """True between SpeechStarted and the end of its hang-over."""
        return bool(self._open)

    @property
    def open_segment(self) -> OpenSegment | None:
        """The segment that is being spoken, once it is long enough to count; pauses are part of it."""
        if not self._open or self._is_short():
            return None
        return OpenSegment(self._number + 1, self._open[0].start_frame, self._open[-1].end_frame)

    def spoken_since(self, frame: int) -> Mono:
        """What has been heard of the open segment from ``frame`` of the stream on; shape (frames,), float32."""
        blocks = [heard.block for heard in takewhile(lambda heard: heard.end_frame > frame, reversed(self._open))]
        if not blocks:
            return np.zeros(0, np.float32)
        audio = np.concatenate(blocks[::-1])
        return audio[max(0, len(audio) - (self._open[-1].end_frame - frame)) :]

    def feed(self, chunk: Mono) -> list[SegmenterEvent]:
        """Hear a chunk of any length (shape (frames,), float32, [-1, 1]); returns what has happened in it."""
        if chunk.ndim != 1:
            raise ValueError(f"chunk has the shape {chunk.shape}; (frames,) is wanted: mix to mono first")
        audio = np.concatenate([self._rest, chunk], dtype=np.float32)
        if not np.isfinite(audio).all():
            audio = np.nan_to_num(audio, nan=0.0, posinf=1.0, neginf=-1.0)
        size = self._vad.blocksize
        whole = len(audio) - len(audio) % size
        events: list[SegmenterEvent] = []
        for start in range(0, whole, size):
            events += self._hear(audio[start : start + size])
        if self._pauses():
            events += self._pause()
        self._rest = audio[whole:].copy()
        return events

    def align(self) -> None:
        """While nobody speaks: let the next block of the detector begin with the next chunk.

        Where chunks are as long as such a block, each is then judged as it comes, whenever somebody begins to speak.
        What is left of the last chunk is less than a block, and passed over if it is as quiet as the room.
        """
        rest = self._rest
        waits = self._open or self._onset_run or self._gate_hold_s > 0.0
        if waits or not len(rest) or not self._history or self._gate.passes(level_dbfs(rest)):
            return
        last = self._history[-1]
        self._history[-1] = last._replace(block=np.concatenate([last.block, rest]))
        self._frames += len(rest)
        self._rest = rest[:0]

    def hasten(self, number: int, revision: int) -> None:
        """What was said before this pause is all: the short hang-over will do, if the pause still lasts."""
        if self._paused and (number, revision) == (self._number + 1, self._revision):
            self._hastened = True

    def flush(self) -> list[SegmenterEvent]:
        """End the input: returns the segment that was open, if it counts. The next chunk starts afresh."""
        events: list[SegmenterEvent] = []
        if len(self._rest):
            rest, self._rest = self._rest, self._rest[:0]
            events += self._hear(rest)
        if self._open:
            events += self._end()
        self._history.clear()
        self._gate.reset()
        self._vad.reset()
        self._forget()
        return events

    def _blocks(self, ms: float) -> int:
        return math.ceil(ms / (1000.0 * self._block_s))

    def _forget(self) -> None:
        self._open: list[_Heard] = []
        self._open_frames = 0
        self._continued = False
        self._revision = 0
        self._paused = False
        self._hastened = False
        self._onset_run = 0
        self._onset_frame = 0
        self._noise_run = 0
        self._speech_end = 0
        self._next_pause_frame = 0
        self._gate_hold_s = 0.0

    def _hear(self, block: Mono) -> list[SegmenterEvent]:
        level = level_dbfs(block)
        speech, flatness = self._judge(block, level)
        self._gate.follow(level, len(block) / self.samplerate, speech=speech or bool(self._open))
        heard = _Heard(block.copy(), self._frames, level, speech, flatness)
        self._frames += len(block)
        self._history.append(heard)
        return self._go_on(heard) if self._open else self._wait_for_onset(heard)

    def _judge(self, block: Mono, level: float) -> tuple[bool, float | None]:
        """Is the block speech, and how flat is it if that was looked at."""
        if not self._detected(block, level):
            self._noise_run = 0
            return False, None
        if not self._check_flatness:
            return True, None
        flatness = spectral_flatness(block)
        if flatness <= NOISE_FLATNESS:
            self._noise_run = 0
            return True, flatness
        self._noise_run += 1
        if self._noise_run == self._onset_blocks and not self._open:
            self.ignored_noise += 1
        return False, flatness

    def _detected(self, block: Mono, level: float) -> bool:
        if self._gate.passes(level):
            if self._gate_hold_s <= 0.0:
                for before in list(self._history)[-_CONTEXT_BLOCKS:]:
                    self._vad.probability(before.block[-self._vad.blocksize :])
            self._gate_hold_s = _GATE_HOLD_S
        elif self._gate_hold_s <= 0.0:
            return False
        self._gate_hold_s -= self._block_s
        padded = np.pad(block, (0, self._vad.blocksize - len(block)))
        limit = self.settings.threshold * (self.settings.release if self._open else 1.0)
        return self._vad.probability(padded) >= limit

    def _wait_for_onset(self, heard: _Heard) -> list[SegmenterEvent]:
        if not heard.speech:
            self._onset_run = max(0, self._onset_run - 1)
            return []
        if self._onset_run == 0:
            self._onset_frame = heard.start_frame
        self._onset_run += 1
        if self._onset_run < self._onset_blocks:
            return []
        first_frame = self._onset_frame - s_to_frames(self.settings.pre_roll_ms / 1000.0, self.samplerate)
        self._open = [before for before in self._history if before.end_frame > first_frame]
        self._open_frames = sum(len(before.block) for before in self._open)
        self._speech_end = heard.end_frame
        self._continued = False
        return [SpeechStarted(frames_to_s(self._onset_frame, self.samplerate))]

    def _go_on(self, heard: _Heard) -> list[SegmenterEvent]:
        self._open.append(heard)
        self._open_frames += len(heard.block)
        events: list[SegmenterEvent] = self._resume() if heard.speech else []
        if heard.speech:
            self._speech_end = heard.end_frame
        settings = self.settings
        if self._silent_ms >= (settings.short_hang_over_ms if self._hastened else settings.hang_over_ms):
            return self._end()
        if self._open_frames >= self._max_frames:
            return [*events, *self._resume(), *self._cut()]
        return events

    def _pauses(self) -> bool:
        """Whether what has been heard so far ends in a silence that is worth to be told of."""
        settings = self.settings
        if not self._open or self._paused or not settings.pause_ms:
            return False
        silent_ms = self._silent_ms
        if silent_ms < settings.pause_ms:
            return False
        return silent_ms >= settings.pause_again_ms or self._speech_end >= self._next_pause_frame

    def _pause(self) -> list[SegmenterEvent]:
        if self._reason_to_ignore():
            return []
        self._paused = True
        self._next_pause_frame = self._speech_end + s_to_frames(_PAUSE_AGAIN_S, self.samplerate)
        self._revision += 1
        return [SpeechPaused(self._segment(self._open, self._number + 1))]

    def _resume(self) -> list[SegmenterEvent]:
        was_paused, self._paused, self._hastened = self._paused, False, False
        return [SpeechResumed(self._number + 1, self._revision)] if was_paused else []

    @property
    def _silent_ms(self) -> float:
        """How long the open segment has been silent."""
        return 1000.0 * frames_to_s(self._open[-1].end_frame - self._speech_end, self.samplerate)

    def _is_short(self) -> bool:
        """Whether what is open would be too short to count, if it ended here."""
        speech_ms = 1000.0 * frames_to_s(self._speech_end - self._onset_frame, self.samplerate)
        counted_ms = speech_ms + self.settings.pre_roll_ms + self.settings.hang_over_ms
        return not self._continued and counted_ms < self.settings.min_segment_ms

    def _reason_to_ignore(self) -> str:
        """Why what is open is no segment, if it ended here."""
        if self._continued:
            return "" if any(heard.speech for heard in self._open) else "silence"
        if self._is_short():
            return "short"
        flatness = [heard.flatness for heard in self._open if heard.flatness is not None]
        return "noise" if flatness and median(flatness) > NOISE_MEDIAN_FLATNESS else ""

    def _end(self) -> list[SegmenterEvent]:
        reason = self._reason_to_ignore()
        self.ignored_short += reason == "short"
        self.ignored_noise += reason == "noise"
        events: list[SegmenterEvent] = []
        if reason:
            events += self._resume()  # blocks after the pause may have shown that all of it was noise
        else:
            self._number += 1
            events.append(self._segment(self._open, self._number))
            self._revision = 0  # else the next one has this number, and a revision of its own
        self._open, self._open_frames, self._onset_run, self._continued = [], 0, 0, False
        self._next_pause_frame = 0
        self._paused = self._hastened = False
        return events

    def _cut(self) -> list[SegmenterEvent]:
        """Give away what lies before the best pause, and go on with what lies after it."""
        at = _best_pause(self._open)
        before, self._open = self._open[:at], self._open[at:]
        self._open_frames = sum(len(heard.block) for heard in self._open)
        self._continued = True
        if not any(heard.speech for heard in before):
            return []
        self._revision = 0
        self._number += 1
        return [self._segment(before, self._number)]

    def _segment(self, blocks: Sequence[_Heard], number: int) -> Segment:
        speech_end = max(heard.end_frame for heard in blocks if heard.speech)
        tail_frames = s_to_frames(self.settings.tail_ms / 1000.0, self.samplerate)
        start, end = blocks[0].start_frame, min(blocks[-1].end_frame, speech_end + tail_frames)
        audio = np.concatenate([heard.block for heard in blocks])[: end - start]
        start_s, end_s, speech_end_s = (frames_to_s(frame, self.samplerate) for frame in (start, end, speech_end))
        revision = self._revision if self._paused else 0
        return Segment(np.ascontiguousarray(audio), start_s, end_s, speech_end_s, number, revision)


def _best_pause(blocks: Sequence[_Heard]) -> int:
    """Where to cut: the middle of the longest silence in the last half, or of its quietest blocks."""
    first = len(blocks) // 2
    best_start, best_length, length = 0, 0, 0
    for index in range(first, len(blocks)):
        length = 0 if blocks[index].speech else length + 1
        if length >= best_length > 0 or length > best_length:
            best_start, best_length = index - length + 1, length
    if best_length >= _QUIET_BLOCKS:
        at = best_start + (best_length + 1) // 2
    else:
        # a shorter one is as likely the closure of a "t" as a border between words
        levels = [sum(heard.level for heard in blocks[at : at + _QUIET_BLOCKS]) for at in range(first, len(blocks))]
        whole = max(1, len(levels) - _QUIET_BLOCKS)
        at = first + min(range(whole), key=levels.__getitem__) + _QUIET_BLOCKS // 2
    return min(max(1, at), len(blocks) - 1)
