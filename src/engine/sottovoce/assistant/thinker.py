"""From questions to theses: the threads that stream a generator's answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from sottovoce.assistant.messages import AnswerEnded, Thesis, ThesisMade, TurnEvent
from sottovoce.assistant.notices import BackendFailed, Notice, StageReached
from sottovoce.assistant.ports import Purse
from sottovoce.assistant.theses import ThesisLines
from sottovoce.assistant.token import TurnToken
from sottovoce.assistant.turn import MAX_THINKING
from sottovoce.core.clock import Clock
from sottovoce.core.errors import BackendError
from sottovoce.core.queues import BoundedQueue, QueueState, WhenFull
from sottovoce.metrics.stages import Stage
from sottovoce.speech.llm.base import Generator, Question
from sottovoce.speech.usage import charged_to


@dataclass(frozen=True, slots=True)
class _Order:
    token: TurnToken
    question: Question


class Thinker:
    """Streams answers; :meth:`work` is the body of each thread.

    There are as many threads as questions may be waiting for answers (`turn.MAX_THINKING`) and one for a question that
    is not over yet, so that a generator that hangs on one question does not hold up the next.
    """

    THREADS = MAX_THINKING + 1

    def __init__(
        self, generator: Generator, purse: Purse, post: Callable[[TurnEvent | Notice], None], clock: Clock
    ) -> None:
        self._generator = generator
        self._purse = purse
        self._post = post
        self._clock = clock
        # as many orders as turns can be open; what is given up is taken out, so this never fills
        self._orders: BoundedQueue[_Order] = BoundedQueue(4 * self.THREADS, WhenFull.BLOCK)

    @property
    def waiting(self) -> QueueState:
        """Questions for which no thread is free."""
        return self._orders.state

    def ask(self, token: TurnToken, question: Question) -> None:
        """Answer as soon as a thread is free."""
        self._orders.put(_Order(token, question))

    def forget(self, token: TurnToken) -> None:
        """Take a question that waits out of the queue."""
        self._orders.remove_where(lambda order: order.token is token)

    def close(self) -> None:
        self._orders.close()

    def work(self) -> None:
        while (order := self._orders.get()) is not None:
            if not order.token.cancel.cancelled:
                self._answer(order.token, order.question)

    def _answer(self, token: TurnToken, question: Question) -> None:
        self._reached(token, Stage.LLM_START)
        error = ""
        try:
            with charged_to(self._purse.for_turn(token.generation)):
                self._stream(token, question)
        except BackendError as failure:
            error = failure.message
            self._post(BackendFailed.of(failure, "llm"))
        self._post(AnswerEnded(token.generation, error))

    def _stream(self, token: TurnToken, question: Question) -> None:
        lines = ThesisLines(question.text)
        made, source, begun = 0, "", False
        with closing(self._generator.generate(question, token.cancel)) as deltas:  # type: ignore[type-var]
            for delta in deltas:
                if not begun:
                    self._reached(token, Stage.LLM_FIRST_TOKEN)
                begun, source = True, delta.source
                for text in lines.feed(delta.text):
                    made += 1
                    self._made(token, made, text, source)
                if made >= question.max_theses or token.cancel.cancelled:
                    return
        for text in lines.finish():
            self._made(token, made + 1, text, source)

    def _made(self, token: TurnToken, number: int, text: str, source: str) -> None:
        if number == 1:
            self._reached(token, Stage.FIRST_THESIS)
        self._post(ThesisMade(Thesis(token.generation, number, text, source)))

    def _reached(self, token: TurnToken, stage: Stage) -> None:
        self._post(StageReached(token.generation, stage, self._clock.now_ns()))
