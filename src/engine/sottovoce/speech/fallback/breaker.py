"""When a backend that has failed is tried again. Pure: the time is an argument."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """How long a backend rests after failures.

    Attributes
    ----------
    rest_s : float
        After the first of a row, in seconds; every further one doubles it.
    longest_rest_s : float
        But never longer than this, which is also the rest after what a retry does not mend.
    """

    rest_s: float = 5.0
    longest_rest_s: float = 60.0


class Breaker:
    """Whether a backend is worth asking.

    Closed, it is. A failure opens it: the backend rests. When the rest is over one call may try (half-open); its
    success closes the breaker, its failure opens it for longer.
    """

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self._policy = policy or BreakerPolicy()
        self._failures = 0
        self._rests_until_ns = 0
        self._trying = False

    @property
    def rests_until_ns(self) -> int:
        """When the rest is over; in the past if it is."""
        return self._rests_until_ns

    def allows(self, now_ns: int) -> bool:
        """Whether a call may be made; the one that tries a backend again must end in :meth:`succeeded`,
        :meth:`failed` or :meth:`abandoned`.
        """
        if self._failures == 0:
            return True
        if now_ns < self._rests_until_ns or self._trying:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """A call has gone well."""
        self._failures, self._rests_until_ns, self._trying = 0, 0, False

    def failed(self, now_ns: int, *, retryable: bool = True, wish_s: float | None = None) -> None:
        """A call has failed; ``wish_s`` is when the service wants to be asked again, if it has said so."""
        policy = self._policy
        doubled_s = policy.rest_s * 2.0 ** min(self._failures, 16)
        rest_s = min(doubled_s, policy.longest_rest_s) if retryable else policy.longest_rest_s
        if wish_s is not None:
            rest_s = max(rest_s, wish_s)
        self._failures += 1
        self._rests_until_ns = max(self._rests_until_ns, now_ns + int(rest_s * 1e9))
        self._trying = False

    def abandoned(self) -> None:
        """A call was cancelled before it could show anything."""
        self._trying = False
