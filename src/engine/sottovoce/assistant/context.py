"""What has been said so far, bounded, for the generator."""

from __future__ import annotations

import math
from collections import deque

from sottovoce.assistant.messages import Utterance

#: Bytes of UTF-8 for each token, about: English has four letters of one byte, Russian two and a half of two.
_BYTES_PER_TOKEN = 4

#: Lines kept, however short.
_MAX_LINES = 64


def tokens_of(text: str) -> int:
    """About how many tokens of a language model ``text`` is; rather too many than too few."""
    return math.ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)


class DialogueContext:
    """The last lines of the conversation, oldest dropped first.

    Parameters
    ----------
    max_tokens : int
        Most tokens kept in all, about (see :func:`tokens_of`); one line that is longer is cut to it. 0 keeps nothing.
    """

    def __init__(self, max_tokens: int = 1000) -> None:
        self._max_tokens = max_tokens
        self._lines: deque[tuple[int, str]] = deque()
        self._tokens = 0

    def add_utterance(self, utterance: Utterance) -> None:
        """Note what somebody said."""
        who = {"own": "Wearer", "other": "Other", "unsure": "Somebody"}[utterance.speaker]
        self._add(utterance.number, f"{who}: {utterance.text}")

    def add_theses(self, texts: tuple[str, ...]) -> None:
        """Note what was whispered to the wearer."""
        self._add(0, "Prompted: " + "; ".join(texts))

    def forget(self, number: int) -> None:
        """Leave out what was said in that segment: it is said again in another."""
        self._lines = deque((known, line) for known, line in self._lines if known != number)
        self._tokens = sum(tokens_of(line) for _, line in self._lines)

    def lines_before(self, utterance: Utterance) -> tuple[str, ...]:
        """The lines kept, without the utterance itself."""
        return tuple(line for number, line in self._lines if number != utterance.number)

    def _add(self, number: int, line: str) -> None:
        if not self._max_tokens:
            return
        if tokens_of(line) > self._max_tokens:
            whole = line.encode("utf-8", "replace")[: self._max_tokens * _BYTES_PER_TOKEN]
            line = whole.decode("utf-8", "ignore")
        self._lines.append((number, line))
        self._tokens += tokens_of(line)
        while len(self._lines) > _MAX_LINES or self._tokens > self._max_tokens:
            self._tokens -= tokens_of(self._lines.popleft()[1])
