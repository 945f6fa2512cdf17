"""A chain of synthesisers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Protocol

import numpy as np

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.core.types import Mono
from sottovoce.speech.fallback.health import Health
from sottovoce.speech.tts.base import Synthesizer

#: Where speech is taken up by another voice: at the quietest moment within so much (s) of where the first one stopped.
NEAR_S = 0.15
#: Length (s) of a moment.
MOMENT_S = 0.02


class Converter(Protocol):
    """Changes the samplerate of a stream."""

    def process(self, x: Mono) -> Mono: ...

    def flush(self) -> Mono: ...


class FallbackSynthesizer:
    """Asks the first synthesiser, and the next ones if it fails.

    If speech breaks off in the middle, the next voice goes on about where the first one stopped, at a quiet moment, so
    that nothing is heard twice.

    Parameters
    ----------
    synthesizers : sequence of Synthesizer
        The preferred one first; its samplerate is that of the chain.
    health : Health
        Of part "tts", with their names.
    converter : callable
        Makes a Converter from one samplerate (Hz) to another.
    """

    def __init__(
        self,
        synthesizers: Sequence[Synthesizer],
        health: Health,
        converter: Callable[[int, int], Converter],
    ) -> None:
        self._synthesizers = {synthesizer.name: synthesizer for synthesizer in synthesizers}
        self.health = health
        self._converter = converter

    @property
    def name(self) -> str:
        """The name of the preferred one."""
        return next(iter(self._synthesizers))

    @property
    def samplerate(self) -> int:
        return self._synthesizers[self.name].samplerate

    def warm(self) -> None:
        """Warm all of them, so that the next one speaks as soon as the first would have."""
        self.health.warm(tuple(self._synthesizers.values()))

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        """Stream the speech of the first synthesiser that does not fail; if all do, the error of the last."""
        given_frames = 0
        for name, last in self.health.attempts():
            try:
                with closing(self._speech(name, text, language, cancel)) as speech:  # type: ignore[type-var]
                    for chunk in _from(speech, given_frames, self.samplerate):
                        given_frames += len(chunk)
                        yield chunk
            except BackendError as error:
                self.health.failed(name, error, tell=not last)
                if last:
                    raise
                if cancel.cancelled:
                    return
            else:
                return

    def close(self) -> None:
        """Close all of them."""
        for synthesizer in self._synthesizers.values():
            synthesizer.close()

    def _speech(self, name: str, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        synthesizer = self._synthesizers[name]
        same = synthesizer.samplerate == self.samplerate
        converter = None if same else self._converter(synthesizer.samplerate, self.samplerate)
        with self.health.attempt(name, cancel) as begun:
            with closing(synthesizer.synthesize(text, language, cancel)) as chunks:  # type: ignore[type-var]
                for chunk in chunks:
                    begun()
                    yield chunk if converter is None else converter.process(chunk)
            if converter is not None:
                yield converter.flush()


def _from(speech: Iterator[Mono], skip_frames: int, samplerate: int) -> Iterator[Mono]:
    """``speech`` from about ``skip_frames`` on, beginning at a quiet moment; all of it if that is 0."""
    if skip_frames:
        near, moment = round(NEAR_S * samplerate), round(MOMENT_S * samplerate)
        heard = np.zeros(0, np.float32)
        for chunk in speech:
            heard = np.concatenate([heard, chunk])
            if len(heard) >= skip_frames + near + moment:
                break
        start = max(0, min(skip_frames - near, len(heard)))
        around = heard[start : skip_frames + near + moment]
        power = np.convolve(np.square(around), np.ones(moment), "valid") if len(around) >= moment else np.zeros(1)
        heard = heard[start + int(power.argmin()) :]
        if len(heard):
            yield heard
    yield from speech
