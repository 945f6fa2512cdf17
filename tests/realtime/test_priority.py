"""How the callback's thread is scheduled is asked of the system, and is what the system really does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sottovoce.audio.player import Player
from sottovoce.audio.priority import CALLBACK_PRIORITY, PriorityGrant, ThreadPriority, priority_grant
from tests.support.soundcard import SoundCard, wait_until

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux may refuse: run it there")

#: Gives up every capability, CAP_SYS_NICE among them, and the limit that stands in for it.
POWERLESS = """
import ctypes, resource
class Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))
header, nothing = Header(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None).capset(ctypes.byref(header), ctypes.byref(nothing)) == 0
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
"""

GRANT = """
from sottovoce.audio.priority import priority_grant
grant = priority_grant()
print(grant.granted, grant.most, grant.reason)
"""

PLAY = """
import json, threading
from sottovoce.audio.player import Player
with Player(48000, 1, device="vs48", latency=0.1) as player:
    for _ in range(500):
        stream = player.snapshot_state().stream
        if stream.priority.text != "unknown":
            break
        threading.Event().wait(0.01)
    print(json.dumps([stream.priority.text, stream.priority.reason, stream.state.value]))
"""


def scheduled() -> set[tuple[int, int]]:
    """Policy and priority of every thread of this process."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        number = int(task.name)
        found.add((os.sched_getscheduler(number), os.sched_getparam(number).sched_priority))
    return found


def test_priority_is_told_in_words() -> None:
    assert ThreadPriority.of(5) == ThreadPriority("realtime 5", "")
    assert ThreadPriority.of(0).text == "normal"
    assert ThreadPriority.of(-1).text == "unknown"
    assert ThreadPriority.of(-1).reason


@linux_only
@pytest.mark.device
def test_priority_in_the_snapshot_is_what_the_thread_really_has(sound_card: SoundCard, way: str) -> None:
    before, grant = scheduled(), priority_grant()
    wanted = min(CALLBACK_PRIORITY, grant.most) if grant.granted else 0
    with Player(48000, 1, device="vs48", latency=0.1) as player:
        told = f"realtime {wanted}" if grant.granted else "normal"
        wait_until(lambda: player.snapshot_state().stream.priority.text == told, 10.0, f"a thread that is {told}")
        priority = player.snapshot_state().stream.priority
        here = scheduled()
    if grant.granted:
        assert (os.SCHED_FIFO, wanted) in here - before, "on either way PortAudio asks for it, and it is raised"
        assert (os.SCHED_FIFO, 1) not in here - before
    else:
        assert priority.reason


@linux_only
@pytest.mark.device
def test_priority_is_raised_again_on_the_next_device(sound_card: SoundCard) -> None:
    if not priority_grant().granted:
        pytest.skip("no realtime priority here")
    with Player(48000, 1, device="vs48", latency=0.1) as player:

        def raised(generation: int) -> bool:
            stream = player.snapshot_state().stream
            return stream.generation >= generation and stream.priority.text != "realtime 1"

        wait_until(lambda: raised(1), 10.0, "a raised thread")
        first = player.snapshot_state().stream.generation
        player.output.recreate("a test")  # type: ignore[attr-defined]
        wait_until(lambda: raised(first + 1), 10.0, "another raised thread")


@linux_only
@pytest.mark.device
def test_refused_priority_is_told_and_nothing_fails(sound_card: SoundCard) -> None:
    done = subprocess.run([sys.executable, "-c", POWERLESS + PLAY], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["normal", "RLIMIT_RTPRIO is 0", "running"]


@linux_only
def test_grant_is_found_out_by_trying() -> None:
    refused = subprocess.run([sys.executable, "-c", POWERLESS + GRANT], capture_output=True, text=True, check=True)
    assert refused.stdout.strip() == "False 0 RLIMIT_RTPRIO is 0"
    before = os.sched_getscheduler(0)
    grant = priority_grant()
    assert grant == PriorityGrant(True, grant.most) or (not grant.granted and grant.reason)
    assert os.sched_getscheduler(0) == before, "the thread that asks is raised, and no other"
