"""What all generators that ask a language model share: prompt, deadlines, lines, and how they are opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from sottovoce.core.cancel import CancelToken
from sottovoce.speech.llm._prompt import MOST_LINES, Form, Prompt, SourcedLines, asked, make_prompt
from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.remote.connection import Connection
from sottovoce.speech.remote.network import Deadlines
from sottovoce.speech.remote.server import Provider, Server, server_of
from sottovoce.speech.usage import Call

#: An answer of which all wanted lines are read may still end by itself within so many seconds.
_LINGER_S = 0.5


@dataclass(frozen=True, slots=True)
class Style:
    """How a model answers.

    Attributes
    ----------
    form : {"theses", "answer"}
        Key points, or connected sentences, one a line.
    temperature : float
        0 always takes the likeliest word.
    max_tokens : int
        Longest answer, in tokens.
    deadlines : Deadlines
        To the first words, and between words.
    """

    form: Form
    temperature: float
    max_tokens: int
    deadlines: Deadlines


C = TypeVar("C", bound=Connection[Any])


class ModelGenerator(ABC, Generic[C]):
    """Streams what a model writes; each line of it is a thesis.

    Parameters
    ----------
    connection : Connection
        The server and its model.
    style : Style
        How it answers.
    index : NotesIndex or None
        Passages of these notes that fit the question are sent with it.
    """

    def __init__(self, connection: C, style: Style, index: NotesIndex | None) -> None:
        self._connection = connection
        self._style = style
        self._index = index

    @property
    def name(self) -> str:
        return self._connection.server.provider.name

    def warm(self) -> None:
        """Open a connection; see :meth:`Connection.warm`."""
        self._connection.warm()

    def generate(self, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        """Stream the theses; a line's source is the note that it came from, or the model."""
        if not asked(question):
            return
        connection = self._connection
        prompt = make_prompt(question, self._index, self._style.form)
        most = MOST_LINES if question.whole else question.max_theses
        lines = SourcedLines(prompt.sources, f"{connection.server.model} ({self.name})", most)
        _ = connection.client  # in this thread: its import takes long, and a missing key is told before anything else
        call = connection.begin("llm")
        call.sends(prompt.system, prompt.user)
        words = connection.stream(lambda: self._words(prompt, call), self._style.deadlines, cancel, linger_s=_LINGER_S)
        with closing(words):  # type: ignore[type-var]
            for text in words:
                yield from lines.feed(text)
                if lines.full:
                    return
        if not cancel.cancelled:
            yield from lines.finish()

    def close(self) -> None:
        """Give up every answer and close the connections; idempotent."""
        self._connection.close()

    @abstractmethod
    def _words(self, prompt: Prompt, call: Call) -> AsyncGenerator[str, None]:
        """What the model writes, piece by piece, and a line break when it has said that it is done.

        ``call`` is entered while it lasts, and told what the service counts.
        """


def doors(
    generator: Callable[[C, Style, NotesIndex | None], ModelGenerator[C]],
    connection: Callable[[Server], C],
    provider: Provider,
    usual_model: str,
) -> tuple[Callable[..., ModelGenerator[C]], Callable[..., str]]:
    """The functions ``open`` and ``check`` of a backend; ``usual_model`` is the one unless another is named."""
    model_key = f"{provider.name}.llm_model"

    def open(
        *,
        model: str = usual_model,
        base_url: str = "",
        key_file: Path | str | None = None,
        index: NotesIndex | None = None,
        form: Form = "theses",
        temperature: float = 0.3,
        max_tokens: int = 180,
        first_token_s: float = 2.0,
        stall_s: float = 2.0,
    ) -> ModelGenerator[C]:
        server = server_of(provider, base_url, model, model_key, key_file)
        style = Style(form, temperature, max_tokens, Deadlines(first_token_s, stall_s))
        return generator(connection(server), style, index)

    def check(*, model: str, base_url: str, key_file: Path | str | None, **ignored: object) -> str:
        """The model, where it is, and where its key comes from; nothing is called."""
        return server_of(provider, base_url, model, model_key, key_file).describe()

    return open, check
