"""The connection to Gemini."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sottovoce.core.errors import BackendError
from sottovoce.speech.remote.connection import HttpConnection
from sottovoce.speech.remote.failures import distrusts, retry_after_s

if TYPE_CHECKING:
    import httpx2
    from google.genai import Client

#: The version of the service that is written for; the client's own default moves.
API_VERSION = "v1beta"


class GeminiConnection(HttpConnection["Client"]):
    """A connection by the client `google-genai`."""

    def translate(self, error: Exception) -> BackendError:
        import httpx2
        from google.genai import errors

        match error:
            case errors.APIError():
                return self._refused(error)
            case httpx2.TimeoutException():
                return self.service.late()
            case httpx2.TransportError():
                return self.service.untrusted() if distrusts(error) else self.service.unreachable()
            case _:
                return self.service.garbled(type(error).__name__)

    def _refused(self, error: Any) -> BackendError:
        # Gemini calls a wrong key a bad request.
        reason = _reason(error.details)
        status = 401 if reason == "API_KEY_INVALID" else error.code
        headers = getattr(error.response, "headers", None) or {}
        return self.service.refused(status, reason or error.status, retry_after_s(headers))

    def _make_over(self, transport: httpx2.AsyncClient, key: str) -> Client:
        from google.genai import Client, types

        options = types.HttpOptions(
            base_url=self.server.base_url,
            api_version=API_VERSION,
            retry_options=types.HttpRetryOptions(attempts=1),
            httpx_async_client=transport,
        )
        return Client(vertexai=False, api_key=key, http_options=options)

    async def _look(self, client: Client) -> None:
        await client.aio.models.get(model=self.server.model)


def _reason(details: object) -> str:
    """The reason that an error gives, as "API_KEY_INVALID"; empty if it gives none."""
    found = details.get("error", {}).get("details", []) if isinstance(details, dict) else []
    reasons = (item.get("reason") for item in found if isinstance(item, dict))
    return next((reason for reason in reasons if isinstance(reason, str)), "")
