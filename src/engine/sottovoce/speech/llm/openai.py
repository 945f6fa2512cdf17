"""Theses by a chat model of OpenAI, or of any server that speaks its language (vLLM, Ollama, llama.cpp)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from sottovoce.speech.llm._model import ModelGenerator, doors
from sottovoce.speech.llm._prompt import Prompt
from sottovoce.speech.remote.openai_client import OpenAIConnection
from sottovoce.speech.remote.server import OPENAI
from sottovoce.speech.usage import Call

if TYPE_CHECKING:
    from openai.types import CompletionUsage

EXTRA = "openai"
PACKAGES = ("openai", "httpx2")
SENDS = (
    "the text of each question, the lines of the dialogue before it, and the passages of your notes that fit it go to "
    "api.openai.com, or to the server that openai.llm_base_url names"
)


class OpenAIGenerator(ModelGenerator[OpenAIConnection]):
    """Streams a chat completion."""

    async def _words(self, prompt: Prompt, call: Call) -> AsyncGenerator[str, None]:
        connection, style = self._connection, self._style
        # OpenAI's later models know only the second name of the limit, many servers only the first.
        limit = "max_completion_tokens" if connection.server.is_providers_own else "max_tokens"
        events, finished = 0, False
        with call:
            stream = await connection.client.chat.completions.create(
                model=connection.server.model,
                messages=[{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
                temperature=style.temperature,
                stream=True,
                stream_options={"include_usage": True},
                extra_body={limit: style.max_tokens},
            )
            async with stream:
                async for chunk in stream:
                    events += 1
                    call.answered()
                    _count(chunk.usage, call)
                    for choice in chunk.choices or ():
                        if choice.delta.content:
                            call.receives(choice.delta.content)
                            yield choice.delta.content
                        if choice.finish_reason is not None:
                            finished = True
                            yield "\n"  # the last thesis is whole; the connection may take a moment more to say so
            if not finished:
                raise connection.service.cut() if events else connection.service.garbled("no events")


def _count(usage: CompletionUsage | None, call: Call) -> None:
    """Take over what the service has counted, which comes in an event of its own after the answer."""
    details = getattr(usage, "prompt_tokens_details", None)
    # servers of other makers may leave any of it out, and the client does not mind
    call.told(
        input_tokens=getattr(usage, "prompt_tokens", None),
        cached_tokens=getattr(details, "cached_tokens", None),
        output_tokens=getattr(usage, "completion_tokens", None),
    )


open, check = doors(OpenAIGenerator, OpenAIConnection, OPENAI, "gpt-4o-mini")
