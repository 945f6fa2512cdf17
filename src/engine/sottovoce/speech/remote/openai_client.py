"""The connection to an OpenAI-compatible server that the backends named `openai` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sottovoce.core.errors import BackendError
from sottovoce.speech.remote.connection import HttpConnection
from sottovoce.speech.remote.failures import distrusts, retry_after_s

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI


class OpenAIConnection(HttpConnection["AsyncOpenAI"]):
    """A connection by the client `openai`."""

    def translate(self, error: Exception) -> BackendError:
        import httpx2
        import openai

        match error:
            case openai.APIStatusError():
                wait_s = retry_after_s(error.response.headers)
                return self.service.refused(error.status_code, error.code, wait_s, about=error.param)
            case openai.APITimeoutError() | httpx2.TimeoutException():
                return self.service.late()
            case openai.APIConnectionError() | httpx2.TransportError():
                return self.service.untrusted() if distrusts(error) else self.service.unreachable()
            case openai.APIError():
                return self.service.failed_within()
            case _:
                return self.service.garbled(type(error).__name__)

    def _make_over(self, transport: httpx2.AsyncClient, key: str) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        client = AsyncOpenAI(api_key=key, base_url=self.server.base_url, max_retries=0, http_client=transport)
        _ = client.chat.completions, client.audio.transcriptions, client.audio.speech  # imported when first looked at
        return client

    async def _look(self, client: AsyncOpenAI) -> None:
        import openai

        try:
            await client.models.retrieve(self.server.model)
        except openai.NotFoundError as error:
            if error.code == "model_not_found":  # else this server does not tell of its models
                raise
