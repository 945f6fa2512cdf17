"""From speech to the ear: one thread that plays theses in order and says what has really been heard."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from sottovoce.assistant.controls import Advance, Control
from sottovoce.assistant.messages import NarrationEnded, Thesis, TurnEvent
from sottovoce.assistant.notices import Notice, ThesisCut, ThesisFailed, ThesisSpoken, ThesisStarted
from sottovoce.assistant.ports import VoiceOutput
from sottovoce.assistant.synthesis import SpokenThesis
from sottovoce.assistant.token import TurnToken
from sottovoce.core.cancel import CancelToken
from sottovoce.core.clock import Clock
from sottovoce.core.queues import BoundedQueue, QueueState, WhenFull
from sottovoce.core.types import Mono
from sottovoce.core.units import s_to_frames

#: While a turn is being spoken, how often (s) the played position is looked at when nothing else wakes the thread.
POSITION_EVERY_S = 0.05

#: Wishes of the wearer that may wait; nobody presses keys faster.
_CONTROLS = 16


@dataclass(slots=True)
class _Mark:
    """Where a thesis lies in what was written, in seconds; the end is not known while it is written."""

    place: int
    thesis: Thesis
    start_s: float
    end_s: float | None = None
    started: bool = False


@dataclass(slots=True, eq=False)
class _Line:
    """A thesis of the turn being spoken, and its speech as far as it has come: it may be spoken again."""

    spoken: SpokenThesis
    chunks: list[Mono] = field(default_factory=list)
    whole: bool = False


@dataclass(slots=True, eq=False)
class _Reading:
    """The turn being spoken.

    ``place`` and ``chunk`` say what is written next, ``allowed`` how far it may go where the wearer moves on, ``piece``
    ends a wait for room in the output; the times of ``marks`` count from the last flush of the output.
    """

    token: TurnToken
    lines: list[_Line] = field(default_factory=list)
    complete: bool = False
    ended: bool = False
    place: int = 0
    chunk: int = 0
    allowed: int = 0
    written_frames: int = 0
    marks: deque[_Mark] = field(default_factory=deque)
    begun: set[int] = field(default_factory=set)
    piece: CancelToken = field(default_factory=CancelToken)


@dataclass(frozen=True, slots=True)
class _LastThesis:
    token: TurnToken


@dataclass(frozen=True, slots=True)
class _Released:
    thesis: Thesis


_Item: TypeAlias = SpokenThesis | _LastThesis | _Released | Control


class Narrator:
    """Plays what the synthesis pool makes; :meth:`work` is the body of the thread.

    Parameters
    ----------
    output : VoiceOutput
        The wearer's ear; nobody else writes to it.
    samplerate : int
        Of the speech, in Hz.
    pause_s : float
        Silence between two theses.
    advance : {"auto", "follow", "manual"}
        Whether the next thesis follows by itself, or when :meth:`release` or :meth:`move` says so.
    """

    def __init__(
        self,
        output: VoiceOutput,
        samplerate: int,
        pause_s: float,
        capacity: int,
        post: Callable[[TurnEvent | Notice], None],
        clock: Clock,
        advance: Advance = "auto",
    ) -> None:
        self._output = output
        self._samplerate = samplerate
        self._pause = np.zeros(s_to_frames(pause_s, samplerate), np.float32)
        self._post = post
        self._clock = clock
        self._advance = advance
        self._items: BoundedQueue[_Item] = BoundedQueue(capacity + _CONTROLS, WhenFull.BLOCK)
        self._beginning = threading.Lock()  # the output is flushed for one reason at a time
        self._reading: _Reading | None = None

    @property
    def waiting(self) -> QueueState:
        """What it has not looked at yet."""
        return self._items.state

    def speak(self, spoken: SpokenThesis) -> None:
        """Play ``spoken`` after what came before."""
        self._items.put(spoken)

    def finish(self, token: TurnToken) -> None:
        """No more theses will come for this turn."""
        self._items.put(_LastThesis(token))

    def move(self, control: Control) -> None:
        """Go to another thesis (NEXT, PREVIOUS, REPEAT), from any thread; in a turn that has ended, too."""
        with self._beginning:
            if self._reading is not None:
                self._reading.piece.cancel()
        self._items.put(control)

    def release(self, thesis: Thesis) -> None:
        """The wearer has said this thesis: let the next one follow it."""
        self._items.put(_Released(thesis))

    def give_up(self, token: TurnToken) -> None:
        """Silence this turn at once, from any thread; what it had in the ear is written to its token."""
        with self._beginning:
            token.cancel.cancel()
            if token.output_generation is not None:
                token.heard_s = self._heard_s
                self._output.flush()

    def close(self) -> None:
        self._items.close()

    def work(self) -> None:
        while not self._items.exhausted:
            item = self._items.get(self._patience_s)
            self._follow_position()
            if isinstance(item, Control):
                self._move(item)
            elif isinstance(item, _Released):
                self._release(item.thesis)
            elif item is not None and self._is_current(item.token):
                assert self._reading is not None
                if isinstance(item, SpokenThesis):
                    self._reading.lines.append(_Line(item))
                else:
                    self._reading.complete = True
            self._go_on()
        self._settle_cut()

    @property
    def _patience_s(self) -> float | None:
        """How long to wait for something new: not at all if there is something to do."""
        reading = self._reading
        if reading is None or reading.token.cancel.cancelled:
            return POSITION_EVERY_S if reading is not None and reading.marks else None
        return 0.0 if self._writable(reading) or self._is_to_be_awaited(reading) else None

    def _is_current(self, token: TurnToken) -> bool:
        """Make ``token`` the turn being spoken, unless it has been given up."""
        if self._reading is not None and token is self._reading.token:
            return not token.cancel.cancelled
        self._settle_cut()
        reading = _Reading(token)
        with self._beginning:
            if token.cancel.cancelled:
                return False
            token.output_generation = self._output.flush()
            token.cancel.on_cancel(reading.piece.cancel)
            self._reading = reading
        return True

    def _go_on(self) -> None:
        """Write the next chunk, or wait a little for what was written to be heard."""
        reading = self._reading
        if reading is None or reading.token.cancel.cancelled:
            return
        if not self._writable(reading):
            self._await_heard(reading)
            return
        line = reading.lines[reading.place]
        if reading.chunk == len(line.chunks) and not line.whole:
            self._gather(line)
        if reading.chunk < len(line.chunks):
            self._write_chunk(reading, line)
        elif line.whole:
            self._end_line(reading, line)

    def _writable(self, reading: _Reading) -> bool:
        """Whether there is a thesis to go on with now."""
        by_itself = self._advance == "auto" and not reading.ended
        return reading.place < len(reading.lines) and (by_itself or reading.place <= reading.allowed)

    def _is_to_be_awaited(self, reading: _Reading) -> bool:
        all_written = reading.complete and reading.place >= len(reading.lines)
        return bool(reading.marks) or (all_written and not reading.ended)

    def _gather(self, line: _Line) -> None:
        chunk = line.spoken.chunks.get(POSITION_EVERY_S)
        if chunk is not None:
            line.chunks.append(chunk)
        elif line.spoken.chunks.exhausted:
            line.whole = True

    def _write_chunk(self, reading: _Reading, line: _Line) -> None:
        if reading.chunk == 0:
            if reading.written_frames and not self._write(reading, self._pause):
                return
            reading.marks.append(_Mark(reading.place, line.spoken.thesis, self._written_s(reading)))
        if self._write(reading, line.chunks[reading.chunk]):
            reading.chunk += 1

    def _write(self, reading: _Reading, x: Mono) -> bool:
        taken = self._output.write(x, reading.token.output_generation, cancel=reading.piece)
        reading.written_frames += taken
        return taken == len(x)

    def _end_line(self, reading: _Reading, line: _Line) -> None:
        if reading.chunk:
            reading.marks[-1].end_s = self._written_s(reading)
            self._output.end(reading.token.output_generation)
        else:
            self._post(ThesisFailed(line.spoken.thesis, line.spoken.error))
        reading.place, reading.chunk = reading.place + 1, 0
        if not line.chunks:
            reading.allowed = max(reading.allowed, reading.place)

    def _await_heard(self, reading: _Reading) -> None:
        if not self._is_to_be_awaited(reading) or not self._output.drain(POSITION_EVERY_S, reading.piece):
            return
        if reading.piece.cancelled:  # as it is, too, when the turn is given up
            return
        self._advance_to(reading, self._written_s(reading))
        if reading.complete and reading.place >= len(reading.lines) and not reading.ended:
            reading.ended = True
            self._post(NarrationEnded(reading.token.generation, len(reading.begun)))

    def _release(self, thesis: Thesis) -> None:
        lines = self._reading.lines if self._reading is not None else []
        for place, line in enumerate(lines):
            if line.spoken.thesis == thesis and self._reading is not None:
                self._reading.allowed = max(self._reading.allowed, place + 1)

    def _move(self, control: Control) -> None:
        reading = self._reading
        if reading is None:
            return
        now = reading.marks[0].place if reading.marks else max(0, reading.place - 1)
        step = {Control.NEXT: 1, Control.PREVIOUS: -1}.get(control, 0)
        if reading.ended and control is Control.NEXT:
            return
        place = min(max(0, now + step), len(reading.lines))
        with self._beginning:
            if reading.token.cancel.cancelled:
                return
            heard_s = self._heard_s
            reading.token.output_generation = self._output.flush()
            reading.piece = CancelToken()
            reading.token.cancel.on_cancel(reading.piece.cancel)
        self._cut(reading, heard_s)
        reading.place, reading.chunk, reading.written_frames = place, 0, 0
        reading.allowed = place

    def _follow_position(self) -> None:
        reading = self._reading
        if reading is None or not reading.marks:
            return
        with self._beginning:  # once given up, the output counts for somebody else
            heard_s = None if reading.token.cancel.cancelled else self._heard_s
        if heard_s is None:
            self._settle_cut()
        else:
            self._advance_to(reading, heard_s)

    @property
    def _heard_s(self) -> float:
        return self._output.played_s

    def _written_s(self, reading: _Reading) -> float:
        return reading.written_frames / self._samplerate

    def _advance_to(self, reading: _Reading, heard_s: float) -> None:
        while reading.marks:
            mark = reading.marks[0]
            if not mark.started and (heard_s > mark.start_s or mark.end_s == mark.start_s):
                mark.started = True
                reading.begun.add(mark.place)
                self._tell(reading, ThesisStarted(mark.thesis, self._moment_of(mark.start_s, heard_s)))
            if mark.end_s is None or heard_s < mark.end_s:
                return
            reading.marks.popleft()
            self._tell(reading, ThesisSpoken(mark.thesis, mark.start_s, mark.end_s))

    def _moment_of(self, position_s: float, heard_s: float) -> int:
        if position_s == 0.0 and self._output.first_frame_ns:
            return self._output.first_frame_ns + round(self._output.output_latency_s * 1e9)
        return self._clock.now_ns() - round((heard_s - position_s) * 1e9)

    def _settle_cut(self) -> None:
        """Say what had been heard of a turn that was given up."""
        reading, self._reading = self._reading, None
        if reading is not None:
            self._cut(reading, reading.token.heard_s)

    def _cut(self, reading: _Reading, heard_s: float) -> None:
        self._advance_to(reading, heard_s)
        for mark in reading.marks:
            if mark.started:
                self._tell(reading, ThesisCut(mark.thesis, heard_s - mark.start_s))
        reading.marks.clear()

    def _tell(self, reading: _Reading, notice: Notice) -> None:
        if not reading.ended:  # what is repeated after the end belongs to no turn
            self._post(notice)
