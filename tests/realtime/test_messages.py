"""What ALSA's library complains of must not reach the terminal."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.soundcard import SoundCard

COMPLAIN = """
import ctypes
{load}
ctypes.CDLL("libasound.so.2").snd_pcm_open(ctypes.byref(ctypes.c_void_p()), b"no_such_device", 0, 0)
from sottovoce.native import hostlog
print(hostlog.messages())
"""


def complaint(load: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMPLAIN.format(load=load)]
    return subprocess.run(command, capture_output=True, text=True, check=True)


@pytest.mark.device
def test_alsa_complains_to_a_counter_and_not_to_the_terminal(sound_card: SoundCard) -> None:
    loud = complaint("")
    assert "ALSA lib" in loud.stderr
    assert loud.stdout.strip() == "0"
    quiet = complaint("from sottovoce.audio.portaudio import portaudio_host; portaudio_host()")
    assert quiet.stderr == ""
    assert int(quiet.stdout) > 0
