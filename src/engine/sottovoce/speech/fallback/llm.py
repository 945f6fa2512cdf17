"""A chain of generators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.speech.fallback.health import Health
from sottovoce.speech.llm.base import Delta, Generator, Question


class FallbackGenerator:
    """Asks the first generator, and the next ones if it fails, before its first word or in the middle.

    Only whole lines are given on, since half a thesis of one model cannot be ended by another; whoever reads theses
    waits for the end of the line anyway. Lines that were given are not given again, and the next model is told of them.

    Parameters
    ----------
    generators : sequence of Generator
        The preferred one first; each has its own deadlines.
    health : Health
        Of part "llm", with the names of the generators.
    """

    def __init__(self, generators: Sequence[Generator], health: Health) -> None:
        self._generators = {generator.name: generator for generator in generators}
        self.health = health

    @property
    def name(self) -> str:
        """The name of the preferred one."""
        return next(iter(self._generators))

    def warm(self) -> None:
        """Warm all of them, so that the next one answers as fast as the first would have."""
        self.health.warm(tuple(self._generators.values()))

    def generate(self, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        """Stream the theses of the first generator that does not fail.

        Raises
        ------
        BackendError
            All have failed; it is the error of the last.
        """
        given: dict[str, str] = {}
        for name, last in self.health.attempts():
            said = tuple(given.values())
            rest = replace(question, max_theses=question.max_theses - len(said), said=question.said + said)
            try:
                with closing(self._lines(name, rest, cancel)) as lines:  # type: ignore[type-var]
                    for delta in lines:
                        key = _key(delta.text)
                        if key in given:
                            continue
                        if key:
                            given[key] = delta.text.strip()
                        yield delta
            except BackendError as error:
                self.health.failed(name, error, tell=not last)
                if last:
                    raise
                if len(given) >= question.max_theses or cancel.cancelled:
                    return
            else:
                return

    def close(self) -> None:
        """Close all of them."""
        for generator in self._generators.values():
            generator.close()

    def _lines(self, name: str, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        """The answer of one generator, line by line; an empty delta first, when its first words are there."""
        begun, line, source = False, "", ""
        with self.health.attempt(name, cancel) as begin:
            with closing(self._generators[name].generate(question, cancel)) as deltas:  # type: ignore[type-var]
                for delta in deltas:
                    source = delta.source
                    if not begun:
                        begun = True
                        begin()
                        yield Delta("", source)
                    *whole, line = (line + delta.text).split("\n")
                    for text in whole:
                        yield Delta(f"{text}\n", source)
            if line:
                yield Delta(f"{line}\n", source)


def _key(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
