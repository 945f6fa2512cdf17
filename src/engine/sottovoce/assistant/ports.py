"""What the assistant needs of the world: ears, a voice, and somebody who watches."""

from __future__ import annotations

from typing import Protocol

from sottovoce.assistant.notices import Notice
from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.usage import Account


class AudioInput(Protocol):
    """An ear: a microphone, a file, or a script."""

    @property
    def samplerate(self) -> int: ...

    @property
    def realtime(self) -> bool:
        """True if blocks come at the pace of time; then the clock tells how late an answer is."""
        ...

    def read(self) -> Mono | None:
        """The next block (shape (frames,), float32), however short; None at the end or after :meth:`close`."""
        ...

    def close(self) -> None:
        """End a :meth:`read` that waits; idempotent, from any thread."""
        ...


class VoiceOutput(Protocol):
    """An ear's worth of output: one source of a player, which keeps generations of its own."""

    @property
    def played_s(self) -> float:
        """Seconds of the current generation that have been heard."""
        ...

    @property
    def first_frame_ns(self) -> int:
        """When the first frame of the current generation was given to the device (monotonic ns); 0 if not yet."""
        ...

    @property
    def output_latency_s(self) -> float:
        """From a frame being played to it being heard, in seconds."""
        ...

    def write(
        self, x: Mono, generation: int | None = None, timeout_s: float | None = None, cancel: CancelToken | None = None
    ) -> int:
        """Queue speech, wait for room; returns frames taken, short after cancellation or a flush."""
        ...

    def end(self, generation: int | None = None) -> None:
        """What is queued is all for now: running out of it is not a fault."""
        ...

    def flush(self) -> int:
        """Fade out what sounds, drop what is queued; returns the new generation."""
        ...

    def pause(self) -> None:
        """Fade out and hold still; what is queued stays."""
        ...

    def resume(self) -> None:
        """Go on where it was paused."""
        ...

    def set_gain(self, gain: float, ramp_s: float = 0.02) -> None:
        """Move to another linear gain."""
        ...

    def drain(self, timeout_s: float | None = None, cancel: CancelToken | None = None) -> bool:
        """Wait until all that is queued has been heard; False if it has not in ``timeout_s``."""
        ...


class Observer(Protocol):
    """Is told everything that happens, in order, by one thread; must not block."""

    def __call__(self, notice: Notice) -> None: ...


class Purse(Protocol):
    """Pays for the calls of services. Accounts are asked for by any thread; None charges nobody."""

    def for_turn(self, generation: int) -> Account | None:
        """Of what is generated and spoken for a turn."""
        ...

    def for_segment(self, number: int, revision: int) -> Account | None:
        """Of what is recognised of a segment, as it was given at the pause ``revision``; 0 if at its end."""
        ...


class NoPurse:
    """Nobody pays, and nobody counts."""

    def for_turn(self, generation: int) -> Account | None:
        return None

    def for_segment(self, number: int, revision: int) -> Account | None:
        return None
