"""What a service did wrong, as errors of ours: the kind, whether a retry helps, and what to do.

The words of a service are never passed on: they may quote the key or what was said.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from sottovoce.core.errors import BackendError, BackendTimeoutError

_CODE = re.compile(r"[a-zA-Z][a-zA-Z_]{1,40}")

#: Codes of a 429 that waiting does not mend.
_SPENT = {"insufficient_quota", "billing_hard_limit_reached"}

#: Codes of a 403 that no other key mends.
_SWITCHED_OFF = {"SERVICE_DISABLED", "BILLING_DISABLED"}

#: What a service may not like of a request, and the setting that it comes from.
_SETTINGS = {
    "voice": "set tts.voice to a voice of that service, or to auto",
    "language": "set asr.language, or llm.language for what is spoken, to a language of that service",
}


@dataclass(frozen=True, slots=True)
class Service:
    """A service as errors name it.

    Attributes
    ----------
    backend : str
        Name of the backend.
    host : str
        Host and port that it is reached at.
    model : str
        Model that is asked for.
    model_key : str
        The setting that names the model.
    key_hint : str
        How to give the key.
    choice : str
        What ``model`` is called: "model" or "voice".
    """

    backend: str
    host: str
    model: str
    model_key: str
    key_hint: str
    choice: str = "model"

    def refused(
        self, status: int, code: object = None, retry_after_s: float | None = None, *, about: str | None = None
    ) -> BackendError:
        """The service answered with an error status; ``about`` is what of the request it dislikes, if it says so."""
        shown = f"{status}, {code}" if isinstance(code, str) and _CODE.fullmatch(code) else str(status)
        if status == 403 and code in _SWITCHED_OFF:
            return self._error(f"is switched off for this project ({shown})", hint="enable it in Google's console")
        if status in (401, 403):
            return self._error(
                f"refused the key ({shown})", hint=f"the key may be revoked or mistyped; {self.key_hint}"
            )
        if status == 404 or about == self.choice:
            return self._error(
                f"knows no {self.choice} {self.model!r} ({shown})",
                hint=f"set {self.model_key} to a {self.choice} that {self.host} has",
            )
        if status in (400, 422) and about in _SETTINGS:
            return self._error(f"does not take this {about} ({shown})", hint=_SETTINGS[about])
        if status == 429 and code in _SPENT:
            return self._error(f"refuses: nothing is left to spend ({shown})", hint="look at the plan and its limits")
        if status == 429:
            return self._error(
                f"has had too many requests ({shown})",
                hint="wait, or name a second backend behind this one",
                retryable=True,
                retry_after_s=retry_after_s,
            )
        if status == 408 or status >= 500:
            return self._error(f"has failed ({shown})", retryable=True, retry_after_s=retry_after_s)
        if 300 <= status < 400:
            return self._error(f"wants to send us elsewhere ({shown})", hint="correct the base_url; none is followed")
        return self._error(f"refused the request ({shown})", hint=f"{self.model_key} or another setting may not fit")

    def unreachable(self) -> BackendError:
        """No connection, or it was lost."""
        return self._error(
            "cannot be reached, or the connection was lost",
            hint=f"look whether this machine reaches {self.host}, and at proxies in the environment",
            retryable=True,
        )

    def untrusted(self) -> BackendError:
        """Its certificate is not one that this machine trusts."""
        return self._error(
            "shows a certificate that this machine does not trust",
            hint="name the certificates of your own authority, or of your proxy, in SSL_CERT_FILE",
        )

    def lacks(self, what: str, hint: str) -> BackendError:
        """The server is there, and cannot do what is asked of it."""
        return self._error(f"has no {what}", hint=hint)

    def late(self) -> BackendError:
        """The client's own limit has passed."""
        return BackendTimeoutError(f"{self.backend} at {self.host} is too slow", backend=self.backend)

    def cut(self) -> BackendError:
        """The answer ended before it was whole."""
        return self._error("ended its answer in the middle", retryable=True)

    def failed_within(self) -> BackendError:
        """The service told of an error within its answer."""
        return self._error("failed in the middle of its answer", retryable=True)

    def garbled(self, kind: str) -> BackendError:
        """The answer is not what this service answers; ``kind`` says of what kind the error was."""
        return self._error(
            f"gave an answer that cannot be understood ({kind})",
            hint=f"look whether {self.host} is the service that it is taken for",
        )

    def _error(
        self, message: str, *, hint: str = "", retryable: bool = False, retry_after_s: float | None = None
    ) -> BackendError:
        return BackendError(
            f"{self.backend} at {self.host} {message}",
            backend=self.backend,
            retryable=retryable,
            hint=hint,
            retry_after_s=retry_after_s,
        )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that a service asks to wait, from its headers; None if it does not say, or says a date."""
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None


def distrusts(error: BaseException | None) -> bool:
    """Whether an error, or what led to it, is about a certificate that is not trusted."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
