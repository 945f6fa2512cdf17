"""A chain of recognisers."""

from __future__ import annotations

from collections.abc import Sequence

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Recognizer, Transcript
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
        self._recognizers = {recognizer.name: recognizer for recognizer in recognizers}
        self.health = health

    @property
    def name(self) -> str:
        """The name of the preferred one; a transcript has the name of the one that has heard it."""
        return next(iter(self._recognizers))

    @property
    def samplerate(self) -> int:
        return self._recognizers[self.name].samplerate

    def warm(self) -> None:
        """Warm all of them, so that the next one answers as fast as the first would have."""
        self.health.warm(tuple(self._recognizers.values()))

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None:
        """Let all of them expect these."""
        for recognizer in self._recognizers.values():
            recognizer.adapt(phrases, words)

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        """The transcript of the first recogniser that does not fail; if all do, the error of the last."""
        for name, last in self.health.attempts():
            try:
                with self.health.attempt(name, cancel) as begin:
                    transcript = self._recognizers[name].transcribe(audio, cancel)
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
        for recognizer in self._recognizers.values():
            recognizer.close()
