from collections.abc import Iterator

import pytest

from tests.support.soundcard import sound_card, sound_card_daemon

__all__ = ["sound_card", "sound_card_daemon"]


@pytest.fixture(params=["sounddevice", "ctypes"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each way into PortAudio, in turn."""
    from sottovoce.audio.portaudio import choose_way

    choose_way(request.param)
    yield request.param
    choose_way("auto")
