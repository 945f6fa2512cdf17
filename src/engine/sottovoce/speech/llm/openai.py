"""Theses by a chat model of OpenAI, or of any server that speaks its language (vLLM, Ollama, llama.cpp)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from sottovoce.speech.llm._model import ModelGenerator, Style
from sottovoce.speech.llm._prompt import Prompt
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.remote.network import Deadlines
from sottovoce.speech.remote.openai_client import OpenAIConnection
from sottovoce.speech.remote.server import OPENAI, server_of

EXTRA = "openai"
PACKAGES = ("openai", "httpx2")
SENDS = (
    "the text of each question, the lines of the dialogue before it, and the passages of your notes that fit it go to "
    "api.openai.com, or to the server that openai.llm_base_url names"
)
MODEL_KEY = "openai.llm_model"


class OpenAIGenerator(ModelGenerator[OpenAIConnection]):
    """Streams a chat completion."""

    async def _words(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        connection, style = self._connection, self._style
        # OpenAI's later models know only the second name of the limit, many servers only the first.
        limit = "max_completion_tokens" if connection.server.is_providers_own else "max_tokens"
        stream = await connection.client.chat.completions.create(
            model=connection.server.model,
            messages=[{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            temperature=style.temperature,
            stream=True,
            extra_body={limit: style.max_tokens},
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
    """The generator over the chat completions of a server; see :class:`ModelGenerator`."""
    server = server_of(OPENAI, base_url, model, MODEL_KEY, key_file)
    style = Style(temperature, max_tokens, Deadlines(first_token_s, stall_s))
    return OpenAIGenerator(OpenAIConnection(server), style, index)


def check(*, model: str, base_url: str, key_file: Path | str | None, **ignored: object) -> str:
    """The model, where it is, and where its key comes from; nothing is called."""
    return server_of(OPENAI, base_url, model, MODEL_KEY, key_file).describe()
