"""What calls of services use up: as the services count it, and counted here where they do not say.

Whoever has work done opens an account for it in the thread that does the work; every call of a service that is begun
there is charged to it, whatever backend makes it::

    with charged_to(account):
        for delta in generator.generate(question, cancel): ...
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol

from sottovoce.core.usage import Part as Part
from sottovoce.core.usage import Usage as Usage

#: Bytes of UTF-8 that make a token where nobody says how many there were: about right for English, and half as many
#: again as the tokenisers of 2026 make of Russian, so that an estimate is rather too high than too low.
BYTES_OF_TOKEN = 4


class Account(Protocol):
    """Pays for the calls of one piece of work. Used from any thread; never waits."""

    def admit(self, part: Part, provider: str) -> None:
        """A call is wanted; a BackendError if nothing may be spent on it."""
        ...

    def opened(self) -> None:
        """A call is on its way."""
        ...

    def closed(self, usage: Usage | None) -> None:
        """It has ended, and this is what it used up; None if nothing."""
        ...


_ACCOUNT: ContextVar[Account | None] = ContextVar("account", default=None)


@contextmanager
def charged_to(account: Account | None) -> Iterator[None]:
    """Charge the calls that this thread begins inside to ``account``; None charges nobody."""
    token = _ACCOUNT.set(account)
    try:
        yield
    finally:
        _ACCOUNT.reset(token)


def begin_call(part: Part, provider: str, model: str) -> Call:
    """A call that is about to be made, charged to the account of this thread.

    Raises
    ------
    BackendError
        The account admits no more calls.
    """
    account = _ACCOUNT.get()
    if account is not None:
        account.admit(part, provider)
    return Call(part, provider, model, account)


class Call:
    """One call of a service: entered while it is made, left when it has ended, in whatever way.

    An error before the service has answered costs nothing: it was refused, or did not arrive. Whatever was answered,
    given up or cut off is charged, as far as it got.
    """

    def __init__(self, part: Part, provider: str, model: str, account: Account | None = None) -> None:
        self._part: Part = part
        self._provider = provider
        self._model = model
        self._account = account
        self._answered = False
        self._told: tuple[int, int, int, int] | None = None
        self._sent_bytes = self._received_bytes = self._characters = 0
        self._audio_s = 0.0

    def sends(self, *texts: str) -> None:
        """These texts are sent to a model that counts tokens."""
        self._sent_bytes += sum(len(text.encode()) for text in texts)

    def receives(self, text: str) -> None:
        """This piece of the answer of such a model has come."""
        self._received_bytes += len(text.encode())

    def sounds(self, seconds: float) -> None:
        """So much sound is sent, or has come."""
        self._audio_s += seconds

    def speaks(self, text: str) -> None:
        """This text is to be spoken."""
        self._characters += len(text)

    def answered(self) -> None:
        """The service has taken the call and begins to answer."""
        self._answered = True

    def told(
        self,
        *,
        input_tokens: int | None,
        output_tokens: int | None,
        cached_tokens: int | None = None,
        audio_tokens: int | None = None,
    ) -> None:
        """The service says how many tokens it has counted; the last word is taken, and half a word is none."""
        if input_tokens is not None and output_tokens is not None:
            self._told = input_tokens, cached_tokens or 0, audio_tokens or 0, output_tokens

    @property
    def usage(self) -> Usage:
        """What was used up so far."""
        counted = -(-self._sent_bytes // BYTES_OF_TOKEN), 0, 0, -(-self._received_bytes // BYTES_OF_TOKEN)
        told = self._told
        estimated = told is None and any(counted)
        tokens = counted if told is None else told
        return Usage(self._part, self._provider, self._model, *tokens, self._audio_s, self._characters, estimated)

    def __enter__(self) -> Call:
        if self._account is not None:
            self._account.opened()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._account is not None:
            # what is given up raises no Exception, and the service may have done all the work by then
            free = isinstance(error, Exception) and not self._answered
            self._account.closed(None if free else self.usage)


def tokens_of(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text.encode()) // BYTES_OF_TOKEN)
