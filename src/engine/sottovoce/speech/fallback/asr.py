"""A chain of recognisers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import numpy as np

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Recognizer, RecognizerStream, StreamingRecognizer, Transcript
from sottovoce.speech.fallback.health import Health


class FallbackRecognizer:
    """Asks the first recogniser, and the next ones if it fails.

    Parameters
    ----------
    recognizers : sequence of Recognizer
        The preferred one first; all want the same samplerate, each has its own deadlines.
    health : Health
        Of part "asr", with their names; shared by the chains of all workers.

    Raises
    ------
    ConfigError
        They want different samplerates.
    """

    def __init__(self, recognizers: Sequence[Recognizer], health: Health) -> None:
        rates = {recognizer.name: recognizer.samplerate for recognizer in recognizers}
        if len(set(rates.values())) > 1:
            raise ConfigError(f"recognisers of one chain want different samplerates: {rates}", key="asr.backend")
        self.recognizers = {recognizer.name: recognizer for recognizer in recognizers}
        self.health = health

    @property
    def name(self) -> str:
        """The name of the preferred one; a transcript has the name of the one that has heard it."""
        return next(iter(self.recognizers))

    @property
    def samplerate(self) -> int:
        return self.recognizers[self.name].samplerate

    def warm(self) -> None:
        """Warm all of them, so that the next one answers as fast as the first would have."""
        self.health.warm(tuple(self.recognizers.values()))

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None:
        """Let all of them expect these."""
        for recognizer in self.recognizers.values():
            recognizer.adapt(phrases, words)

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        """The transcript of the first recogniser that does not fail; if all do, the error of the last."""
        return self.first_of(
            self.health.attempts(), lambda name: self.recognizers[name].transcribe(audio, cancel), cancel
        )

    def first_of(
        self, attempts: Iterator[tuple[str, bool]], hear: Callable[[str], Transcript], cancel: CancelToken
    ) -> Transcript:
        """What ``hear`` makes of the first of these attempts that does not fail."""
        for name, last in attempts:
            try:
                with self.health.attempt(name, cancel) as begin:
                    transcript = hear(name)
                    if not cancel.cancelled:
                        begin()
                    return transcript
            except BackendError as error:
                self.health.failed(name, error, tell=not last)
                if last:
                    raise
        raise AssertionError("a chain has a last backend")

    def close(self) -> None:
        """Close all of them."""
        for recognizer in self.recognizers.values():
            recognizer.close()


class StreamingFallbackRecognizer(FallbackRecognizer):
    """A chain whose preferred recogniser hears a segment while it is spoken.

    The segment is kept meanwhile: if a recogniser fails in the middle, or is none of those, the next one is given the
    whole segment when it is over.
    """

    def listen(self, heard: Callable[[Transcript], None]) -> RecognizerStream:
        """Begin a segment with the first recogniser that is well; see :meth:`StreamingRecognizer.listen`."""
        return _ChainStream(self, heard)


class _ChainStream:
    """One segment on its way through a chain."""

    def __init__(self, recognizers: FallbackRecognizer, heard: Callable[[Transcript], None]) -> None:
        self._chain = recognizers
        self._kept: list[Mono] = []
        self._given_up = CancelToken()
        self._finishing = False
        self._attempts = recognizers.health.attempts()
        self._first = next(self._attempts)
        self._stream: RecognizerStream | None = None
        self._error: BackendError | None = None
        preferred = recognizers.recognizers[self._first[0]]
        if isinstance(preferred, StreamingRecognizer):
            try:
                self._stream = preferred.listen(heard)
            except BackendError as error:
                self._error = error

    def feed(self, audio: Mono) -> None:
        self._kept.append(audio)
        if self._stream is not None:
            self._stream.feed(audio)

    def finish(self, cancel: CancelToken) -> Transcript:
        self._finishing = True
        forget = cancel.on_cancel(self._given_up.cancel)
        try:
            return self._chain.first_of(chain([self._first], self._attempts), self._hear, self._given_up)
        finally:
            forget()

    def close(self) -> None:
        self._given_up.cancel()
        if self._stream is not None:
            self._stream.close()
        if not self._finishing:
            self._finishing = True
            self._chain.health.abandoned(self._first[0])

    def _hear(self, name: str) -> Transcript:
        if name == self._first[0]:
            if self._error is not None:
                raise self._error
            if self._stream is not None:
                return self._stream.finish(self._given_up)
        segment = np.concatenate(self._kept) if self._kept else np.zeros(0, np.float32)
        return self._chain.recognizers[name].transcribe(segment, self._given_up)


def recognizer_chain(recognizers: Sequence[Recognizer], health: Health) -> FallbackRecognizer:
    """A chain; it hears segments while they are spoken if its preferred recogniser does."""
    streams = isinstance(recognizers[0], StreamingRecognizer)
    return (StreamingFallbackRecognizer if streams else FallbackRecognizer)(recognizers, health)
