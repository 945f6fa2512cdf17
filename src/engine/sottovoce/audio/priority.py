"""Whether audio threads get realtime priority here: what one really got, and what this process may have.

A thread without it waits its turn behind every busy program. PortAudio asks for it; only Linux may say no.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass

#: Grants it to the members of the group audio, from their next login on.
GRANT_HINT = (
    "echo '@audio - rtprio 95' | sudo tee /etc/security/limits.d/95-audio.conf && "
    'sudo usermod -aG audio "$USER", and log in anew'
)

#: What the thread of a callback gets where it has realtime priority at all. PortAudio asks for 1, the least; then every
#: thread of a sound server (PulseAudio's have 5) that wakes on the same core pushes it aside in the middle of a block,
#: often to the other core, whose caches know nothing of it. rtkit grants no more than this.
CALLBACK_PRIORITY = 20

_BY_THE_SYSTEM = {
    "darwin": "CoreAudio runs its threads in realtime by itself",
    "win32": "Windows runs audio threads in a class of their own by itself",
}


@dataclass(frozen=True, slots=True)
class ThreadPriority:
    """How a thread is scheduled: ``"realtime 1"`` to ``"realtime 99"``, ``"normal"``, or ``"unknown"``, and why."""

    text: str = "unknown"
    reason: str = ""

    @classmethod
    def of(cls, priority: int) -> ThreadPriority:
        """From what a callback says: 1 to 99 in realtime, 0 not so, -1 unknown."""
        if priority > 0:
            return cls(f"realtime {priority}")
        if priority == 0:
            return cls("normal", _refusal())
        return cls("unknown", _BY_THE_SYSTEM.get(sys.platform, "no block has come yet"))


@dataclass(frozen=True, slots=True)
class PriorityGrant:
    """Whether this process may have realtime threads: up to ``most``; None where the system sees to it by itself."""

    granted: bool | None
    most: int = 0
    reason: str = ""


def priority_grant() -> PriorityGrant:
    """Ask the system, with a thread that lives for that alone."""
    if not hasattr(os, "sched_setscheduler"):
        return PriorityGrant(None, reason=_BY_THE_SYSTEM.get(sys.platform, "this system has no realtime threads"))
    got: list[int] = []

    def climb() -> None:
        for priority in range(1, os.sched_get_priority_max(os.SCHED_FIFO) + 1):
            try:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))  # 0: this thread alone
            except OSError:
                return
            got.append(priority)

    thread = threading.Thread(target=climb, name="sottovoce-priority", daemon=True)
    thread.start()
    thread.join()
    return PriorityGrant(True, got[-1]) if got else PriorityGrant(False, reason=_refusal())


def _refusal() -> str:
    """Why the system may have refused."""
    if sys.platform != "linux":
        return ""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    return f"RLIMIT_RTPRIO is {soft}" + ("" if soft == 0 else ", and yet the system refused")
