"""The contract of an echo canceller: what a loudspeaker plays is taken out of what a microphone hears."""

from __future__ import annotations

from typing import Protocol

from sottovoce.core.types import Mono


class EchoCanceller(Protocol):
    """Takes the echo of one reference out of a microphone. Used by one thread at a time; none of its calls waits."""

    @property
    def name(self) -> str: ...

    @property
    def samplerate(self) -> int:
        """Of both streams, in Hz."""
        ...

    @property
    def blocksize(self) -> int:
        """Frames of a block."""
        ...

    @property
    def delay_frames(self) -> int:
        """By how much what is returned is later than the microphone."""
        ...

    @property
    def most_lag_s(self) -> float:
        """How far an echo may lag behind its reference; a longer lag has to be made up for by who calls."""
        ...

    def process(self, near: Mono, far: Mono) -> Mono:
        """The next blocks of the microphone without echo.

        Parameters
        ----------
        near : Mono
            What the microphone has heard, shape (frames,), float32, [-1, 1]: one or more whole blocks.
        far : Mono
            What was played at that time, of the same shape; its echo is in ``near`` now or up to ``most_lag_s`` later.

        Raises
        ------
        BackendError
            The library has failed; this canceller is of no use any more.
        """
        ...

    def expect(self, lag_s: float) -> None:
        """The echo lags by so much behind the reference that is given, as measured; told when that has changed."""
        ...

    def close(self) -> None:
        """Release everything; idempotent."""
        ...
