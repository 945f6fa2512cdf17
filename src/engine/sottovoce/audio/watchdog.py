"""Tells a stream that is dead from one that is slow."""

from __future__ import annotations

from dataclasses import dataclass

_NS = 1_000_000_000

#: The longest time between two looks: more of them wake the machine for nothing, fewer notice a loss late.
_MOST_INTERVAL_S = 0.125

#: What the watchdog says of a stream that is active and gets no blocks.
STALLED = "no block arrives"


@dataclass(frozen=True, slots=True)
class Health:
    """What the watchdog sees of a stream: ``last_block_ns`` is 0 before the first block."""

    opened_ns: int
    last_block_ns: int
    finished: bool
    on_trial: bool = False


class Watchdog:
    """Tells a dead stream from a slow one.

    Parameters
    ----------
    period_s : float
        Length of a block in seconds.
    latency_s : float
        Latency of the stream in seconds: some hosts take so much at once. Without a block for max(5 periods, 100 ms,
        2 latencies) it is dead.
    start_limit_s : float
        How long the first block may take, and the next one on trial: a sound server may have to be started.
    least_s : float
        In the place of the 100 ms.
    """

    def __init__(
        self, period_s: float, latency_s: float = 0.0, start_limit_s: float = 3.0, least_s: float = 0.1
    ) -> None:
        self.period_s = period_s
        self.limit_ns = int(max(5.0 * period_s, least_s, 2.0 * latency_s) * _NS)
        #: How often :meth:`judge` wants to be asked.
        self.interval_s = min(self.limit_ns / _NS / 2, _MOST_INTERVAL_S)
        self._start_limit_ns = max(self.limit_ns, int(start_limit_s * _NS))
        self._last_look_ns = 0
        self._counted_from_ns = 0

    def judge(self, health: Health, now_ns: int) -> str:
        """Why the stream is dead, or nothing.

        A look that comes late says more about this machine than about the stream: a suspended laptop or a starved
        process had no blocks either. So after a late look, silence counts from that look on.
        """
        late = self._last_look_ns > 0 and now_ns - self._last_look_ns > self.limit_ns
        since_ns = self._counted_from_ns
        if late:
            self._counted_from_ns = now_ns
        self._last_look_ns = now_ns
        if health.finished:
            return "the host has ended it"
        last_sign_ns = health.last_block_ns or health.opened_ns
        limit_ns = self.limit_ns if health.last_block_ns and not health.on_trial else self._start_limit_ns
        excused = late and last_sign_ns > since_ns
        silent = not excused and now_ns - max(last_sign_ns, since_ns) > limit_ns
        return STALLED if silent else ""

    def proves(self, health: Health) -> bool:
        """Whether blocks flow: they come for longer than any device takes them in advance."""
        return health.last_block_ns - health.opened_ns > self.limit_ns
