"""Theses by a model of Google's Gemini."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from sottovoce.speech.llm._model import ModelGenerator, doors
from sottovoce.speech.llm._prompt import Prompt
from sottovoce.speech.remote.gemini_client import GeminiConnection
from sottovoce.speech.remote.server import GEMINI
from sottovoce.speech.usage import Call

if TYPE_CHECKING:
    from google.genai.types import GenerateContentResponseUsageMetadata

EXTRA = "google"
PACKAGES = ("google.genai", "httpx2")
SENDS = (
    "the text of each question, the lines of the dialogue before it, and the passages of your notes that fit it go to "
    "generativelanguage.googleapis.com, or to the server that gemini.base_url names"
)


class GeminiGenerator(ModelGenerator[GeminiConnection]):
    """Streams generated content; the model does not think before it answers, which would take a second and more."""

    async def _words(self, prompt: Prompt, call: Call) -> AsyncGenerator[str, None]:
        from google.genai import types

        connection, style = self._connection, self._style
        config = types.GenerateContentConfig(
            system_instruction=prompt.system,
            temperature=style.temperature,
            max_output_tokens=style.max_tokens,
            thinking_config=types.ThinkingConfig(thinking_budget=0),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )
        events, finished = 0, False
        with call:
            stream = await connection.client.aio.models.generate_content_stream(
                model=connection.server.model, contents=prompt.user, config=config
            )
            async for chunk in stream:
                events += 1
                call.answered()
                _count(chunk.usage_metadata, call)
                for candidate in chunk.candidates or ():
                    parts = candidate.content.parts if candidate.content is not None else None
                    for part in parts or ():
                        if part.text and not part.thought:
                            call.receives(part.text)
                            yield part.text
                    if candidate.finish_reason is not None:
                        finished = True
                        yield "\n"  # the last thesis is whole; the connection may take a moment more to say so
            if not finished:
                raise connection.service.cut() if events else connection.service.garbled("no events")


def _count(usage: GenerateContentResponseUsageMetadata | None, call: Call) -> None:
    """Take over what the service has counted: each event says what it was so far, thoughts apart from the answer."""
    if usage is not None and usage.candidates_token_count is not None:
        call.told(
            input_tokens=usage.prompt_token_count,
            cached_tokens=usage.cached_content_token_count,
            output_tokens=usage.candidates_token_count + (usage.thoughts_token_count or 0),
        )


open, check = doors(GeminiGenerator, GeminiConnection, GEMINI, "gemini-flash-lite-latest")
