"""The virtual sound card that the tests play on, for a benchmark."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.soundcard import SoundCard, missing_packages

SINK = "vs48"
SAMPLERATE = 48_000


@contextmanager
def sound_card() -> Iterator[SoundCard]:
    """The only sound card that this process sees; enter it before PortAudio is loaded."""
    if missing := missing_packages():
        raise RuntimeError(f"the virtual sound card needs: apt-get install {' '.join(missing)}")
    if "sounddevice" in sys.modules:
        raise RuntimeError("PortAudio is loaded already, and knows the devices that were there: start the card first")
    card = SoundCard()
    try:
        card.start()
        os.environ.update(card.variables)
        yield card
    finally:
        card.stop()
