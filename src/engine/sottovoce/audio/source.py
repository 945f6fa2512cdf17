"""One playing input of a Player."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy.typing as npt

from sottovoce.audio.mark import Mark
from sottovoce.audio.output import Output
from sottovoce.audio.placement import History, Placement
from sottovoce.audio.resampler import Quality, Resampler
from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import StreamClosedError
from sottovoce.core.formats import as_block
from sottovoce.core.types import Block
from sottovoce.native.mixer import Mixer
from sottovoce.native.source import Source

#: Content is resampled and queued in pieces of at most this many frames, so that a long write plays at once.
_PIECE_FRAMES = 4096

#: Bounds of one wait: nobody waits longer than this for news that a stalled device may never give.
_LEAST_WAIT_S, _MOST_WAIT_S = 0.001, 0.25


class SourceOwner(Protocol):
    """The Player, as its sources see it."""

    @property
    def output(self) -> Output: ...
    @property
    def mixer(self) -> Mixer: ...
    @property
    def closed(self) -> bool: ...
    @property
    def changed(self) -> threading.Condition:
        """Notified whenever a waiting source should look again."""
        ...

    @property
    def resamples_by_producer(self) -> bool:
        """Whether resampling has to leave the callback."""
        ...

    def note_moved(self) -> None:
        """A source has left the callback's resampling for its own."""
        ...

    def remove(self, source: PlayerSource) -> None: ...


@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    """A picture of a source; counters as the mixer keeps them. ``capacity_s`` is how much its ring holds."""

    samplerate: int
    channels: int
    generation: int
    queued_s: float
    played_s: float
    paused: bool
    gain: float
    capacity_s: float = 0.0
    counters: Mapping[str, int] = field(default_factory=dict)
    #: Where it is resampled.
    resampling: Placement = "none"


class PlayerSource:
    """A stream of audio that plays beside the others of its Player; made by :meth:`Player.open_source`.

    What is written belongs to a generation. :meth:`flush` silences the current one with a fade and begins the next;
    what a late producer still writes for an older one is refused. One thread writes at a time; every other method
    may be called from any thread.
    """

    def __init__(
        self,
        owner: SourceOwner,
        native: Source,
        samplerate: int,
        *,
        prebuffer_s: float = 0.0,
        reserve_frames: int = 0,
        quality: Quality = "standard",
    ) -> None:
        self._owner = owner
        self._native = native
        self.samplerate = samplerate
        self.channels = native.channels
        self._prebuffer_s = prebuffer_s
        self._reserve_frames = reserve_frames
        self._resampler: Resampler | None = None
        self._history: History | None = None
        mixed_at = owner.mixer.samplerate
        if samplerate != native.samplerate:
            self._resampler = Resampler(samplerate, mixed_at, native.channels, quality)
        elif samplerate != mixed_at:
            self._history = History(samplerate, mixed_at, native.channels, quality)
        self._resampled_generation = -1
        self._ended_at_frames = 0
        self._write_lock = threading.Lock()
        self._closed = False
        self._emptied: tuple[int, int, float] = (0, 0, 0.0)

    @property
    def generation(self) -> int:
        """The generation that plays now."""
        return self._native.generation

    @property
    def queued_s(self) -> float:
        """Seconds of content of the current generation that are yet to be played."""
        return self._native.queued_s

    @property
    def played_s(self) -> float:
        """Seconds of content of the current generation that were heard by now; it goes on between two blocks."""
        output, native = self._owner.output, self._native
        # a file hears what it is given
        return native.heard_s(output.latency_s) if output.live else native.played_s

    @property
    def resampling(self) -> Placement:
        """Where it is resampled."""
        if self.samplerate == self._owner.mixer.samplerate:
            return "none"
        return "callback" if self._history is not None else "producer"

    @property
    def first_frame_ns(self) -> int:
        """When the first frame of the current generation was given to the output, on the clock of
        ``time.monotonic_ns``; 0 if none was yet. It is heard :attr:`output_latency_s` later.
        """
        return self._native.first_frame_ns

    @property
    def output_latency_s(self) -> float:
        """From a frame being given to the output to it being heard, in seconds."""
        return self._owner.output.latency_s

    @property
    def silent(self) -> bool:
        """Whether the output has acknowledged the last flush."""
        return self._native.acknowledged_generation == self._native.generation

    @property
    def native(self) -> Source:
        """The compiled source below."""
        return self._native

    @property
    def mixer(self) -> Mixer:
        """The compiled mixer that it is a part of."""
        return self._owner.mixer

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed or self._owner.closed

    def write(
        self,
        x: npt.NDArray[Any],
        generation: int | None = None,
        timeout_s: float | None = None,
        cancel: CancelToken | None = None,
    ) -> int:
        """Queue audio, waiting for room.

        Parameters
        ----------
        x : ndarray
            float32 in [-1, 1] or int16; (frames,) or (frames, channels). Mono is duplicated to stereo.
        generation : int, optional
            The generation that it belongs to; the current one unless given.
        timeout_s : float, optional
            Longest wait for room in seconds; no limit unless given.
        cancel : CancelToken, optional
            Ends the wait.

        Returns
        -------
        int
            Frames taken: all, or fewer after a timeout, a cancellation, or a flush of that generation.

        Raises
        ------
        ConfigError
            (a ValueError) if dtype, shape or channels are not allowed.
        StreamClosedError
            If the source is closed, now or while it waits.
        """
        block = as_block(x, self.channels)
        if generation is None:
            generation = self.generation
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        taken = 0
        with self._write_lock, self._woken_by(cancel):
            while taken < block.shape[0] and not (cancel and cancel.cancelled):
                self._follow_placement(generation)
                piece = block[taken : taken + _PIECE_FRAMES]
                room = self._wait_for_room(piece.shape[0], generation, deadline_s, cancel)
                if not room:
                    if self.generation != generation:
                        self._native.write(piece, generation)  # refused, and counted
                    break
                piece = piece[:room]
                if not self._push(self._resampled(piece, generation), generation):
                    break
                taken += piece.shape[0]
        return taken

    def end(self, generation: int | None = None) -> None:
        """Nothing more comes for the moment: play what is queued to its last frame, whatever the prebuffer is."""
        if generation is None:
            generation = self.generation
        with self._write_lock:
            self._require_open()
            self._end_locked(generation)
        self._owner.output.wake()

    def finish(self) -> None:
        """End the current generation; for a player that closes while its output still takes all that is queued."""
        with self._write_lock:
            self._end_locked(self.generation)

    def flush(self, timeout_s: float = 0.0) -> int:
        """Silence what is queued, with a short fade.

        Parameters
        ----------
        timeout_s : float
            How long to wait, in seconds, for the output to say that it is silent.

        Returns
        -------
        int
            The generation that begins now.
        """
        generation = self._native.flush()
        self._notify()
        if timeout_s > 0.0:
            deadline_s = time.monotonic() + timeout_s
            self._wait_while(lambda: self._native.acknowledged_generation < generation, lambda: 0.002, deadline_s, None)
        return generation

    def drain(self, timeout_s: float | None = None, cancel: CancelToken | None = None) -> bool:
        """Wait until all that is queued was heard.

        Only what a :meth:`end` has closed, or what exceeds the prebuffer, plays to its last frame.

        Returns
        -------
        bool
            False after ``timeout_s`` seconds, a cancellation, a flush or a close.
        """
        generation = self.generation
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        with self._woken_by(cancel):
            drained = self._wait_while(
                lambda: self.generation == generation and (self._unheard() or not self.silent),
                lambda: self.queued_s,
                deadline_s,
                cancel,
            )
            if not drained or self.generation != generation:
                return False
            heard_s = self._emptied_s(generation) + self._to_the_ear_s()
            self._wait_while(lambda: time.monotonic() < heard_s, lambda: heard_s - time.monotonic(), deadline_s, cancel)
        return self.generation == generation and time.monotonic() >= heard_s and not self.closed

    def _unheard(self) -> bool:
        """Whether something is queued, or still in the callback's resampler, which gives its last at an end only."""
        native = self._native
        if native.queued_frames:
            return True
        return native.written_frames == self._ended_at_frames and native.held_frames > 0

    def _emptied_s(self, generation: int) -> float:
        """When the ring was first seen empty of all that has been written, however often one asks."""
        written = self._native.written_frames
        if self._emptied[:2] != (generation, written):
            self._emptied = (generation, written, time.monotonic())
        return self._emptied[2]

    def _to_the_ear_s(self) -> float:
        """From the last frame leaving the ring to its being heard."""
        block_s = self._owner.output.blocksize / self._native.samplerate
        return self.output_latency_s + (block_s if self._owner.output.live else 0.0)

    def mark(self) -> Mark:
        """A mark behind all that was written so far; it tells when that was heard, or that it was flushed.

        What a resampler still holds back, until more is written or :meth:`end` is called, comes behind it.
        """
        self._require_open()
        return self._asked(self.mixer.mark(self._native))

    def fence(self) -> Mark:
        """A mark behind all gains, ducks, pauses and resumes asked for so far; it tells when they have taken effect."""
        self._require_open()
        return self._asked(self.mixer.fence())

    def _asked(self, number: int) -> Mark:
        self._owner.output.wake(soon=True)  # the callback answers
        return Mark(self, number)

    def set_gain(self, gain: float, ramp_s: float = 0.02) -> None:
        """Change the linear gain, in a ramp of ``ramp_s`` seconds."""
        self._require_open()
        self._native.set_gain(gain, ramp_s)

    def duck(self, gain: float, ramp_s: float = 0.005) -> None:
        """Play more quietly, by a gain of 0 to 1 under that of :meth:`set_gain`; 1 ends it."""
        self._require_open()
        self._native.duck(gain, ramp_s)

    def pause(self) -> None:
        """Stop playing, with a fade; what is queued stays."""
        self._require_open()
        self._native.pause()

    def resume(self) -> None:
        """Go on where :meth:`pause` has stopped."""
        self._require_open()
        self._native.resume()
        self._notify()

    def close(self) -> None:
        """Fade the source out and take it out of the mixer; a second call does nothing."""
        with self._owner.changed:
            if self._closed:
                return
            self._closed = True
            self._owner.changed.notify_all()
        self._owner.remove(self)
        self._owner.output.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def snapshot(self) -> SourceSnapshot:
        """A picture of the source as it is now."""
        native = self._native
        return SourceSnapshot(
            samplerate=self.samplerate,
            channels=self.channels,
            generation=native.generation,
            queued_s=self.queued_s,
            played_s=self.played_s,
            paused=native.paused,
            gain=native.gain,
            capacity_s=(native.capacity_frames - self._reserve_frames) / native.samplerate,
            counters=native.counters(),
            resampling=self.resampling,
        )

    def has_audio(self, block_s: float) -> bool:
        """Whether rendering a block of ``block_s`` seconds now gives sound, or acknowledges a flush."""
        native = self._native
        if native.acknowledged_generation != native.generation:
            return True
        if native.paused:
            return False
        if native.written_frames == self._ended_at_frames:
            return self._unheard()
        return native.queued_frames >= max(self._prebuffer_s * native.samplerate, block_s * native.samplerate + 2) + (
            native.lookahead_frames
        )

    def _end_locked(self, generation: int) -> None:
        if self._resampler and self._resampled_generation == generation:
            self._push(as_block(self._resampler.flush(), self.channels), generation)
        self._native.end(generation)
        if self.generation == generation:
            self._ended_at_frames = self._native.written_frames

    def _follow_placement(self, generation: int) -> None:
        """If resampling has to leave the callback, go on with it here, from the very frame at which it stops there."""
        if self._history is None or not self._owner.resamples_by_producer:
            return
        had_frames = self._native.move(generation)
        if had_frames < 0:
            return  # not at this moment: the next block or the next write knows more
        self._resampler = self._history.resampler_after(had_frames)
        self._resampled_generation = generation
        self._history = None
        self._owner.note_moved()

    def _resampled(self, piece: Block, generation: int) -> Block:
        if self._resampler is None:
            return piece
        if self._resampled_generation != generation:
            self._resampler.reset()
            self._resampled_generation = generation
        return as_block(self._resampler.process(piece), self.channels)

    def _push(self, block: Block, generation: int) -> bool:
        """Queue a block for which there is room; False if its generation is over."""
        frames = int(block.shape[0])
        written = self._native.write(block, generation) if frames else 0
        if self._history is not None:
            self._history.note(block[:written])
        self._owner.output.wake()
        return written == frames

    def _room_frames(self) -> int:
        """Content frames that can be queued whole, whatever the resampler has held back."""
        free = self._native.writable_frames - (self._reserve_frames if self._resampler else 0)
        return max(0, free * self.samplerate // self._native.samplerate)

    def _wait_for_room(self, frames: int, generation: int, deadline_s: float | None, cancel: CancelToken | None) -> int:
        """Content frames, at most ``frames``, for which there is room; 0 if they are not to be queued any more."""
        # Waking for every few frames would cost more than it gains: wait for the whole piece if the ring can hold it.
        wanted = min(frames, max(1, self._native.capacity_frames // 4))
        self._wait_while(
            lambda: self.generation == generation and self._room_frames() < wanted,
            lambda: (wanted - self._room_frames()) / self.samplerate,
            deadline_s,
            cancel,
        )
        self._require_open()
        if self.generation != generation:
            return 0
        return min(frames, self._room_frames())

    def _wait_while(
        self,
        busy: Callable[[], bool],
        estimate_s: Callable[[], float],
        deadline_s: float | None,
        cancel: CancelToken | None,
    ) -> bool:
        """Wait while ``busy``, each time as long as ``estimate_s`` says; False if it still is."""
        changed = self._owner.changed
        with changed:
            while busy():
                left_s = _MOST_WAIT_S if deadline_s is None else deadline_s - time.monotonic()
                if left_s <= 0.0 or self.closed or self._owner.output.failure or (cancel and cancel.cancelled):
                    return False
                changed.wait(min(left_s, _MOST_WAIT_S, max(_LEAST_WAIT_S, estimate_s())))
        return True

    def wait_while(self, busy: Callable[[], bool], estimate_s: Callable[[], float], deadline_s: float | None) -> bool:
        """Wait while ``busy``, each time as long as ``estimate_s`` says; False if it still is; for its marks."""
        return self._wait_while(busy, estimate_s, deadline_s, None)

    def _woken_by(self, cancel: CancelToken | None) -> _WokenBy:
        return _WokenBy(cancel, self._notify)

    def _notify(self) -> None:
        with self._owner.changed:
            self._owner.changed.notify_all()
        self._owner.output.wake()

    def _require_open(self) -> None:
        if self._owner.output.failure:
            raise self._owner.output.failure
        if self.closed:
            raise StreamClosedError("the source is closed", hint="open another one with Player.open_source")


class _WokenBy:
    """While entered, a cancellation wakes whoever waits."""

    def __init__(self, cancel: CancelToken | None, wake: Callable[[], None]) -> None:
        self._cancel, self._wake = cancel, wake
        self._take_back: Callable[[], None] | None = None

    def __enter__(self) -> None:
        if self._cancel is not None:
            self._take_back = self._cancel.on_cancel(self._wake)

    def __exit__(self, *_: object) -> None:
        if self._take_back is not None:
            self._take_back()
