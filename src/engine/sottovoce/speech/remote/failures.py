"""What a service did wrong, as errors of ours: the kind, whether a retry helps, and what to do.

The words of a service are never passed on: they may quote the key or what was said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sottovoce.core.errors import BackendError, BackendTimeoutError

_CODE = re.compile(r"[a-zA-Z][a-zA-Z_]{1,40}")

#: Codes of a 429 that waiting does not mend.
_SPENT = {"insufficient_quota", "billing_hard_limit_reached"}


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
    """

    backend: str
    host: str
    model: str
    model_key: str
    key_hint: str

    def refused(self, status: int, code: object = None, retry_after_s: float | None = None) -> BackendError:
        """The service answered with an error status."""
        shown = f"{status}, {code}" if isinstance(code, str) and _CODE.fullmatch(code) else str(status)
        if status in (401, 403):
            return self._error(
                f"refused the key ({shown})", hint=f"the key may be revoked or mistyped; {self.key_hint}"
            )
        if status == 404:
            return self._error(
                f"knows no model {self.model!r} ({shown})", hint=f"set {self.model_key} to a model that {self.host} has"
            )
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
