"""Which backends of a chain are well, and who is told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from sottovoce.core.cancel import CancelToken
from sottovoce.core.clock import Clock, MonotonicClock
from sottovoce.core.errors import BackendError, BudgetSpentError
from sottovoce.core.log import get_logger, log_event
from sottovoce.speech.fallback.breaker import Breaker, BreakerPolicy

_LOG = get_logger("fallback")

Part: TypeAlias = Literal["asr", "llm", "tts"]


@dataclass(frozen=True, slots=True)
class Changed:
    """From now on another backend of a chain answers."""

    part: Part
    backend: str


#: Told of every failure that another backend made good, and of every change of the backend that answers.
Listener: TypeAlias = Callable[[BackendError | Changed], None]


class Warmable(Protocol):
    """What all backends have in common."""

    @property
    def name(self) -> str: ...

    def warm(self) -> None: ...


class Health:
    """The breakers of a chain. Safe to use from several threads, and shared by the recognisers of all workers.

    Parameters
    ----------
    part : str
        "asr", "llm" or "tts".
    names : sequence of str
        The backends, the preferred one first.
    """

    def __init__(
        self, part: Part, names: Sequence[str], *, policy: BreakerPolicy | None = None, clock: Clock | None = None
    ) -> None:
        self.part: Part = part
        self._names = tuple(names)
        self._clock = clock or MonotonicClock()
        self._breakers = {name: Breaker(policy) for name in names}
        self._lock = threading.Lock()
        self._answers = self._names[0]
        self._listener: Listener | None = None

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` from now on, beginning with who answers if that is not the preferred one."""
        with self._lock:
            self._listener, answers = listener, self._answers
        if answers != self._names[0]:
            listener(Changed(self.part, answers))

    def attempts(self) -> Iterator[tuple[str, bool]]:
        """The backends to be asked one after another until one does not fail, each with whether it is the last.

        The well ones come as they are preferred, then those that rest, the one that has rested longest first, since any
        answer is better than none.
        """
        now_ns = self._clock.now_ns()
        with self._lock:
            well = [name for name in self._names if self._breakers[name].rests_until_ns <= now_ns]
            resting = [name for name in self._names if name not in well]
            names = well + sorted(resting, key=lambda name: self._breakers[name].rests_until_ns)
        for name in names:
            last = name == names[-1]
            with self._lock:
                allowed = self._breakers[name].allows(self._clock.now_ns())
            if allowed or last:
                yield name, last

    @contextmanager
    def attempt(self, name: str, cancel: CancelToken) -> Iterator[Callable[[], None]]:
        """Watch over a call to ``name``; what is given is to be called when its answer begins.

        A BackendError is left to :meth:`failed`. A call that was cancelled before its answer began shows nothing.
        """
        begun = False

        def begin() -> None:
            nonlocal begun
            if not begun:
                begun = True
                self._answering(name)

        try:
            yield begin
        except BackendError:
            raise
        except BaseException:  # as a rule GeneratorExit: whoever reads has had enough
            self._ended(name, well=begun)
            raise
        else:
            # that there is nothing to say is an answer too
            self._ended(name, well=begun or not cancel.cancelled)

    def abandoned(self, name: str) -> None:
        """A backend that :meth:`attempts` has given was not asked after all."""
        with self._lock:
            self._breakers[name].abandoned()

    def failed(self, name: str, error: BackendError, *, tell: bool = True) -> None:
        """``name`` has failed; nobody is told of a failure that is raised in the end.

        That it may not be paid says nothing of a backend, and is told by whoever pays.
        """
        if isinstance(error, BudgetSpentError):
            self.abandoned(name)
            return
        with self._lock:
            self._breakers[name].failed(self._clock.now_ns(), retryable=error.retryable, wish_s=error.retry_after_s)
            listener = self._listener
        log_event(_LOG, logging.INFO, "backend failed", part=self.part, backend=name, retryable=error.retryable)
        if tell and listener is not None:
            listener(error)

    def warm(self, backends: Sequence[Warmable]) -> None:
        """Warm all backends at once. Those that cannot be warmed rest; an error only if none can."""
        with ThreadPoolExecutor(len(backends), thread_name_prefix=f"sottovoce-warm-{self.part}") as pool:
            warming = [(backend, pool.submit(backend.warm)) for backend in backends]
        failures: list[BackendError] = []
        for backend, future in warming:
            error = future.exception()
            if isinstance(error, BackendError):
                failures.append(error)
                self.failed(backend.name, error)
            elif error is not None:
                raise error
        if len(failures) == len(backends):
            raise failures[0]

    def _answering(self, name: str) -> None:
        with self._lock:
            changed, self._answers = self._answers != name, name
            listener = self._listener
        if changed:
            log_event(_LOG, logging.INFO, "another backend answers", part=self.part, backend=name)
            if listener is not None:
                listener(Changed(self.part, name))

    def _ended(self, name: str, *, well: bool) -> None:
        with self._lock:
            breaker = self._breakers[name]
            if well:
                breaker.succeeded()
            else:
                breaker.abandoned()
