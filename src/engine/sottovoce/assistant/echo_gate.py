"""Utterances of the microphone wait until it is known what came out of the loudspeaker meanwhile. Pure: time is given.

A segment of the loopback may end later than that of the microphone, or take longer to be recognised. What has been
recognised of it while it lasts counts, too; and nothing waits for longer than a limit. What we say ourselves is known
before it sounds: it is looked for in both ears, except in what the wearer says, who may be following it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from sottovoce.assistant import messages, notices
from sottovoce.assistant.echoed import EchoLimits, Said, WithoutEcho, without_echo
from sottovoce.assistant.messages import Heard, Thesis, TurnEvent, Utterance
from sottovoce.assistant.notices import Notice

Posted: TypeAlias = TurnEvent | Notice

#: How long what was played is remembered (s): longer than a segment, and than an echo may lag.
REMEMBERED_S = 90.0

#: By how much (s) the transcript of a segment may end before it does: its hang-over.
_SLACK_S = 0.5

#: Letters of a thesis that are said in a second, as long as nobody knows when it ends.
_LETTERS_PER_S = 14.0


@dataclass(slots=True)
class _Span:
    """Speech in the loopback, and until when its words are known."""

    start_s: float
    end_s: float
    known_s: float


@dataclass(frozen=True, slots=True)
class _Waiting:
    heard: Heard
    until_s: float


class EchoGate:
    """Takes out of utterances what came from the loudspeaker; belongs to one thread.

    Places are seconds of the stream that both ears share; ``now_s`` is a clock that only runs on.

    Parameters
    ----------
    position_s : callable
        The place of a moment of the clock (ns) in the stream.
    patience_s : float
        How long an utterance waits at most for what was played meanwhile.
    limits : EchoLimits, optional
        What an echo is.

    Attributes
    ----------
    dropped_words, dropped_utterances : int
        What proved to be an echo; utterances of which nothing was left.
    """

    def __init__(
        self,
        position_s: Callable[[int], float] = lambda at_ns: at_ns / 1e9,
        patience_s: float = 2.0,
        limits: EchoLimits | None = None,
    ) -> None:
        self._position_s = position_s
        self.dropped_words = self.dropped_utterances = 0
        self._patience_s = patience_s
        self._limits = limits
        self._spans: deque[_Span] = deque()
        self._played: deque[Said] = deque()
        self._so_far: Said | None = None
        self._spoken: deque[Said] = deque()
        self._speaking: tuple[Thesis, float] | None = None
        self._waiting: deque[_Waiting] = deque()

    def passed(self, item: Posted, now_ns: int) -> Sequence[Posted]:
        """What is to be handled now: ``item``, unless it has to wait, and what has waited; without echo."""
        now_s = now_ns / 1e9
        match item:
            case messages.Heard():
                return self.heard(item, now_s)
            case messages.PartialHeard(utterance):
                return [*self.due(now_s), *((item,) if self.so_far(utterance) else ())]
            case messages.InputEnded() | messages.Closing():
                return [*self.rest(), item]
            case notices.SpeechBegan(at_s, "loopback"):
                self.began(at_s)
            case notices.SpeechEnded(at_s, "loopback"):
                self.ended(at_s)
            case notices.ThesisStarted(thesis, at_ns):
                self.thesis_began(thesis, self._position_s(at_ns))
            case notices.ThesisSpoken(thesis) | notices.ThesisCut(thesis) | notices.ThesisFailed(thesis):
                self.thesis_ended(thesis, self._position_s(now_ns))
            case _:
                pass
        return [*self.due(now_s), item]

    def began(self, at_s: float) -> None:
        """Somebody speaks in the loopback."""
        self._spans.append(_Span(at_s, float("inf"), at_s))

    def ended(self, at_s: float) -> None:
        """Nobody does any more."""
        if self._spans:
            self._spans[-1].end_s = min(self._spans[-1].end_s, at_s)

    def thesis_began(self, thesis: Thesis, at_s: float) -> None:
        """We say this from now on."""
        self._speaking = (thesis, at_s)

    def thesis_ended(self, thesis: Thesis, at_s: float) -> None:
        """We have said it, or as much of it as we will; nothing, if it never began."""
        if self._speaking is None or self._speaking[0] != thesis:
            return
        self._spoken.append(Said(thesis.text, self._speaking[1], at_s))
        self._speaking = None
        _forget(self._spoken, at_s)

    def so_far(self, utterance: Utterance) -> bool:
        """What somebody is saying; False for an utterance of the microphone while the loudspeaker may be its source."""
        if utterance.ear == "loopback":
            self._so_far = _said(utterance)
            return True
        return not self._sounds(utterance.start_s, utterance.end_s)

    def heard(self, heard: Heard, now_s: float) -> list[Heard]:
        """Somebody has said this; returns what may pass now, in order, without echo."""
        if heard.utterance.ear == "loopback":
            clean = self._without(heard, self._said_by_us(heard.utterance.end_s))
            self._so_far = None
            self._played.append(_said(heard.utterance))
            self._known_until(heard.utterance)
            return [clean, *self.due(now_s)]
        self._waiting.append(_Waiting(heard, now_s + self._patience_s))
        return self.due(now_s)

    def due(self, now_s: float) -> list[Heard]:
        """What waits no more, in order: one that waits holds back those behind it."""
        passed = []
        while self._waiting:
            first = self._waiting[0]
            if first.until_s > now_s and not self._is_known(first.heard.utterance):
                break
            self._waiting.popleft()
            passed.append(self._judge(first.heard))
        return passed

    def rest(self) -> list[Heard]:
        """All that still waits: no more will come."""
        return self.due(float("inf"))

    def _judge(self, heard: Heard) -> Heard:
        utterance = heard.utterance
        played = [*self._played, *([self._so_far] if self._so_far is not None else [])]
        if utterance.speaker != "own":
            played = sorted([*played, *self._said_by_us(utterance.end_s)], key=lambda said: said.start_s)
        return self._without(heard, played)

    def _without(self, heard: Heard, played: Iterable[Said]) -> Heard:
        utterance = heard.utterance
        left: WithoutEcho = without_echo(_said(utterance), list(played), self._limits)
        if not left.dropped:
            return heard
        self.dropped_words += left.dropped
        self.dropped_utterances += not left.text
        return replace(heard, utterance=replace(utterance, text=left.text, echoed_words=left.dropped))

    def _said_by_us(self, now_s: float) -> list[Said]:
        if self._speaking is None:
            return list(self._spoken)
        thesis, start_s = self._speaking
        return [*self._spoken, Said(thesis.text, start_s, max(now_s, start_s + len(thesis.text) / _LETTERS_PER_S))]

    def _sounds(self, start_s: float, end_s: float) -> bool:
        """Whether somebody spoke in the loopback in that time, or we did."""
        ours = self._speaking is not None and self._speaking[1] < end_s
        return ours or any(start_s < span.end_s and span.start_s < end_s for span in self._spans)

    def _known_until(self, utterance: Utterance) -> None:
        for span in self._spans:
            if span.start_s < utterance.end_s:
                span.known_s = max(span.known_s, utterance.end_s)
        _forget(self._played, utterance.end_s)
        while self._spans and self._spans[0].end_s < utterance.end_s - REMEMBERED_S:
            self._spans.popleft()

    def _is_known(self, utterance: Utterance) -> bool:
        return all(
            span.known_s >= min(span.end_s, utterance.end_s) - _SLACK_S
            for span in self._spans
            if span.start_s < utterance.end_s and utterance.start_s < span.end_s
        )


def _said(utterance: Utterance) -> Said:
    return Said(utterance.text, utterance.start_s, utterance.end_s)


def _forget(said: deque[Said], now_s: float) -> None:
    while said and said[0].end_s < now_s - REMEMBERED_S:
        said.popleft()
