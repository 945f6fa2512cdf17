"""From speech to the ear: one thread that plays theses in order and says what has really been heard."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sottovoce.assistant.messages import NarrationEnded, Thesis, TurnEvent
from sottovoce.assistant.notices import Notice, ThesisCut, ThesisFailed, ThesisSpoken, ThesisStarted
from sottovoce.assistant.ports import VoiceOutput
from sottovoce.assistant.synthesis import SpokenThesis
from sottovoce.assistant.token import TurnToken
from sottovoce.core.clock import Clock
from sottovoce.core.queues import BoundedQueue, WhenFull
from sottovoce.core.types import Mono
from sottovoce.core.units import s_to_frames

#: While a turn is being spoken, how often (s) the played position is looked at when nothing else wakes the thread.
POSITION_EVERY_S = 0.05


@dataclass(slots=True)
class _Mark:
    """Where a thesis lies in the speech of its turn, in seconds; the end is not known while it is written."""

    thesis: Thesis
    start_s: float
    end_s: float | None = None
    started: bool = False


@dataclass(frozen=True, slots=True)
class _LastThesis:
    token: TurnToken


_Item: TypeAlias = SpokenThesis | _LastThesis


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
    """

    def __init__(
        self,
        output: VoiceOutput,
        samplerate: int,
        pause_s: float,
        capacity: int,
        post: Callable[[TurnEvent | Notice], None],
        clock: Clock,
    ) -> None:
        self._output = output
        self._samplerate = samplerate
        self._pause = np.zeros(s_to_frames(pause_s, samplerate), np.float32)
        self._post = post
        self._clock = clock
        self._items: BoundedQueue[_Item] = BoundedQueue(capacity, WhenFull.BLOCK)
        self._beginning = threading.Lock()  # a turn begins, or is given up, but never both at once
        self._token: TurnToken | None = None
        self._marks: deque[_Mark] = deque()
        self._written_frames = 0
        self._heard = 0

    def speak(self, spoken: SpokenThesis) -> None:
        """Play ``spoken`` after what came before."""
        self._items.put(spoken)

    def finish(self, token: TurnToken) -> None:
        """No more theses will come for this turn."""
        self._items.put(_LastThesis(token))

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
            item = self._items.get(POSITION_EVERY_S if self._marks else None)
            self._follow_position()
            if item is None or not self._is_current(item.token):
                continue
            if isinstance(item, SpokenThesis):
                self._play(item)
            else:
                self._wait_until_heard(item.token)
        self._settle_cut()

    def _is_current(self, token: TurnToken) -> bool:
        """Make ``token`` the turn being spoken, unless it has been given up."""
        if token is self._token:
            return not token.cancel.cancelled
        self._settle_cut()
        with self._beginning:
            if token.cancel.cancelled:
                return False
            token.output_generation = self._output.flush()
        self._token, self._written_frames, self._heard = token, 0, 0
        return True

    def _play(self, spoken: SpokenThesis) -> None:
        mark: _Mark | None = None
        while (chunk := self._next_chunk(spoken)) is not None:
            if mark is None:
                if self._written_frames and not self._write(self._pause):
                    return
                mark = _Mark(spoken.thesis, self._written_s)
                self._marks.append(mark)
            if not self._write(chunk):
                return
            self._follow_position()
        if mark is not None:
            mark.end_s = self._written_s
            self._output.end(spoken.token.output_generation)
        elif not spoken.token.cancel.cancelled:
            self._post(ThesisFailed(spoken.thesis, spoken.error))

    def _next_chunk(self, spoken: SpokenThesis) -> Mono | None:
        while not spoken.token.cancel.cancelled:
            chunk = spoken.chunks.get(POSITION_EVERY_S)
            if chunk is not None or spoken.chunks.exhausted:
                return chunk
            self._follow_position()
        return None

    def _write(self, x: Mono) -> bool:
        assert self._token is not None
        taken = self._output.write(x, self._token.output_generation, cancel=self._token.cancel)
        self._written_frames += taken
        return taken == len(x)

    @property
    def _written_s(self) -> float:
        return self._written_frames / self._samplerate

    def _wait_until_heard(self, token: TurnToken) -> None:
        while not token.cancel.cancelled and not self._output.drain(POSITION_EVERY_S, token.cancel):
            self._follow_position()
        if token.cancel.cancelled:
            self._settle_cut()
            return
        self._advance_to(self._written_s)
        self._post(NarrationEnded(token.generation, self._heard))
        self._token = None

    def _follow_position(self) -> None:
        if self._token is None or not self._marks:
            return
        with self._beginning:  # once given up, the output counts for somebody else
            heard_s = None if self._token.cancel.cancelled else self._heard_s
        if heard_s is None:
            self._settle_cut()
        else:
            self._advance_to(heard_s)

    @property
    def _heard_s(self) -> float:
        return max(0.0, self._output.played_s - self._output.output_latency_s)

    def _advance_to(self, heard_s: float) -> None:
        while self._marks:
            mark = self._marks[0]
            if not mark.started and (heard_s > mark.start_s or mark.end_s == mark.start_s):
                mark.started = True
                self._post(ThesisStarted(mark.thesis, self._moment_of(mark.start_s, heard_s)))
            if mark.end_s is None or heard_s < mark.end_s:
                return
            self._marks.popleft()
            self._heard += 1
            self._post(ThesisSpoken(mark.thesis, mark.start_s, mark.end_s))

    def _moment_of(self, position_s: float, heard_s: float) -> int:
        if position_s == 0.0 and self._output.first_frame_ns:
            return self._output.first_frame_ns + round(self._output.output_latency_s * 1e9)
        return self._clock.now_ns() - round((heard_s - position_s) * 1e9)

    def _settle_cut(self) -> None:
        """Say what had been heard of a turn that was given up."""
        token, self._token = self._token, None
        if token is None or not self._marks:
            return
        self._advance_to(token.heard_s)
        for mark in self._marks:
            if mark.started:
                self._post(ThesisCut(mark.thesis, token.heard_s - mark.start_s))
        self._marks.clear()
