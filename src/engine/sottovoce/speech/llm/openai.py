"""Theses by a chat model of OpenAI, or of any server that speaks its language (vLLM, Ollama, llama.cpp)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import closing
from pathlib import Path

from sottovoce.core.cancel import CancelToken
from sottovoce.speech.llm._prompt import Prompt, SourcedLines, asked, make_prompt
from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.remote.network import Deadlines
from sottovoce.speech.remote.openai_client import NAME, OpenAIConnection, describe_server, server_of

EXTRA = "openai"
PACKAGES = ("openai", "httpx2")
SENDS = (
    "the text of each question, the lines of the dialogue before it, and the passages of your notes that fit it go to "
    "api.openai.com, or to the server that openai.llm_base_url names"
)

MODEL_KEY = "openai.llm_model"

#: An answer of which all wanted lines are read may still end by itself within so many seconds.
_LINGER_S = 0.5


class OpenAIGenerator:
    """Streams a chat completion; each line of it is a thesis.

    Parameters
    ----------
    connection : OpenAIConnection
        The server and its model.
    index : NotesIndex or None
        Passages of these notes that fit the question are sent with it.
    temperature : float
        0 always takes the likeliest word.
    max_tokens : int
        Longest answer, in tokens.
    deadlines : Deadlines
        To the first words, and between words.
    """

    def __init__(
        self,
        connection: OpenAIConnection,
        *,
        index: NotesIndex | None,
        temperature: float,
        max_tokens: int,
        deadlines: Deadlines,
    ) -> None:
        self._connection = connection
        self._index = index
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._deadlines = deadlines

    @property
    def name(self) -> str:
        return NAME

    def warm(self) -> None:
        """Open a connection; see :meth:`OpenAIConnection.warm`."""
        self._connection.warm()

    def generate(self, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        """Stream the theses; a line's source is the note that it came from, or the model."""
        if not asked(question):
            return
        connection = self._connection
        prompt = make_prompt(question, self._index)
        lines = SourcedLines(prompt.sources, f"{connection.server.model} ({NAME})", question.max_theses)
        _ = connection.client  # in this thread: its import takes long, and a missing key is told before anything else
        words = connection.stream(lambda: self._words(prompt), self._deadlines, cancel, linger_s=_LINGER_S)
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

    async def _words(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        connection = self._connection
        model, is_openai = connection.server.model, connection.server.is_openai
        # OpenAI's later models know only the second name of the limit, many servers only the first.
        limit = {"max_completion_tokens" if is_openai else "max_tokens": self._max_tokens}
        stream = await connection.client.chat.completions.create(
            model=model,
            messages=[{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            temperature=self._temperature,
            stream=True,
            extra_body=limit,
        )
        events, finished = 0, False
        async with stream:
            async for chunk in stream:
                events += 1
                for choice in chunk.choices:
                    if choice.delta.content:
                        yield choice.delta.content
                    if choice.finish_reason is not None:
                        finished = True
                        yield "\n"  # the last thesis is whole; the connection may take a moment more to say so
        if not finished:
            raise connection.service.cut() if events else connection.service.garbled("no events")


def open(
    *,
    model: str = "gpt-4o-mini",
    base_url: str = "",
    key_file: Path | str | None = None,
    index: NotesIndex | None = None,
    temperature: float = 0.3,
    max_tokens: int = 180,
    first_token_s: float = 2.0,
    stall_s: float = 2.0,
) -> OpenAIGenerator:
    """The generator over the chat completions of a server; see :class:`OpenAIGenerator`."""
    server = server_of(base_url, model, MODEL_KEY, key_file)
    return OpenAIGenerator(
        OpenAIConnection(server),
        index=index,
        temperature=temperature,
        max_tokens=max_tokens,
        deadlines=Deadlines(first_token_s, stall_s),
    )


def check(*, model: str, base_url: str, key_file: Path | str | None, **ignored: object) -> str:
    """The model, where it is, and where its key comes from; nothing is called."""
    return describe_server(server_of(base_url, model, MODEL_KEY, key_file))
