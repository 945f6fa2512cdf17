"""What has been said so far, bounded, for the generator."""

from __future__ import annotations

from collections import deque

from sottovoce.assistant.messages import Utterance


class DialogueContext:
    """The last lines of the conversation, oldest dropped first.

    Parameters
    ----------
    max_lines : int
        Most lines kept.
    max_chars : int
        Most characters kept in all; one longer line alone is cut to it.
    """

    def __init__(self, max_lines: int = 24, max_chars: int = 4000) -> None:
        self._max_lines = max_lines
        self._max_chars = max_chars
        self._lines: deque[tuple[int, str]] = deque()
        self._chars = 0

    def add_utterance(self, utterance: Utterance) -> None:
        """Note what somebody said."""
        who = {"own": "Wearer", "other": "Other", "unsure": "Somebody"}[utterance.speaker]
        self._add(utterance.number, f"{who}: {utterance.text}")

    def add_theses(self, texts: tuple[str, ...]) -> None:
        """Note what was whispered to the wearer."""
        self._add(0, "Prompted: " + "; ".join(texts))

    def lines_before(self, utterance: Utterance) -> tuple[str, ...]:
        """The lines kept, without the utterance itself."""
        return tuple(line for number, line in self._lines if number != utterance.number)

    def _add(self, number: int, line: str) -> None:
        line = line[: self._max_chars]
        self._lines.append((number, line))
        self._chars += len(line)
        while len(self._lines) > self._max_lines or self._chars > self._max_chars:
            self._chars -= len(self._lines.popleft()[1])
