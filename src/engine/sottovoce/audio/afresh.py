"""Devices as they are now, while streams of this process are open.

PortAudio looks for devices only when it starts, which would end every open stream; so another process looks.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterable

from sottovoce.audio.bluetooth import TelephoneQuality, same_headset, telephone_quality
from sottovoce.audio.host import Device
from sottovoce.audio.portaudio import portaudio_host
from sottovoce.core.log import get_logger, log_event

_logger = get_logger("audio")

#: How soon (s) a look that was given up ends.
_STEP_S = 0.1

#: What a sound server calls its one device, whichever it may be.
_SERVERS = frozenset({"default", "pulse", "pipewire", "sysdefault"})


def devices_afresh(timeout_s: float = 5.0, given_up: threading.Event | None = None) -> tuple[Device, ...]:
    """Every device of this machine, as a new process sees them; about half a second.

    Parameters
    ----------
    timeout_s : float
        How long it may take, in seconds.
    given_up : threading.Event, optional
        Ends the wait, and the process.

    Returns
    -------
    tuple of Device
        None if it cannot look, or was given up.
    """
    command = [sys.executable, "-m", "sottovoce.audio.afresh"]
    quiet = subprocess.DEVNULL
    deadline_s = time.monotonic() + timeout_s
    try:
        with subprocess.Popen(command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet) as process:
            while not (given_up and given_up.is_set()) and time.monotonic() < deadline_s:
                try:
                    text, _ = process.communicate(timeout=_STEP_S)
                except subprocess.TimeoutExpired:
                    continue
                return tuple(Device(**fields) for fields in json.loads(text))
            process.kill()
    except (OSError, ValueError, TypeError) as error:
        _logger.debug("cannot look for devices afresh: %s", error)
    return ()


def check_headset(microphone: str, earpiece: str) -> TelephoneQuality | None:
    """Whether the earpiece in use plays in telephone quality because of the microphone in use; both by name.

    To be called with both streams open. Logs what it finds.
    """
    if not same_headset(microphone, earpiece) or earpiece in _SERVERS:
        return None
    # with streams open, the list of this process is the one from before them
    found = telephone_quality(portaudio_host().devices(), devices_afresh(), microphone, earpiece)
    if found is not None:
        fallen = {"headset": found.headset, "samplerate": found.samplerate, "channels": found.channels}
        log_event(_logger, logging.WARNING, "headset plays in telephone quality", **fallen, advice=found.advice)
    return found


def as_text(devices: Iterable[Device]) -> str:
    """Devices as :func:`devices_afresh` reads them from the other process."""
    return json.dumps([dataclasses.asdict(device) for device in devices])


if __name__ == "__main__":
    sys.stdout.write(as_text(portaudio_host().devices()))
