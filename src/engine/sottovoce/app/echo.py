"""Whether echo is taken out of what a session hears, as the settings want it."""

from __future__ import annotations

from functools import partial

from sottovoce.app.settings import Config
from sottovoce.speech.echo.ears import EarCleaner
from sottovoce.speech.registry import describe, open_canceller


def open_cleaner(config: Config) -> EarCleaner | None:
    """What takes echo out of two ears; None where it is off, or wanted only if it is installed, and is not.

    Raises
    ------
    BackendUnavailableError
        It is wanted, and its extra is not installed.
    """
    audio = config.audio
    if audio.echo_cancellation == "off":
        return None
    if audio.echo_cancellation == "auto" and describe("aec", audio.echo_canceller).missing:
        return None
    return EarCleaner(partial(open_canceller, audio.echo_canceller))
