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


def described(config: Config) -> tuple[str, str]:
    """What becomes of echo, and the extra that is lacking for that; empty if none is."""
    audio = config.audio
    if audio.echo_cancellation == "off":
        return "left as it is (audio.echo_cancellation): for earpieces", ""
    info = describe("aec", audio.echo_canceller)
    if info.missing:
        lacks = f"{info.name} needs {', '.join(info.missing)}"
        if audio.echo_cancellation == "on":
            return f"{lacks}; `live` needs it as it is set", info.extra
        if audio.loopback != "off":
            return f"{lacks}; a loudspeaker is heard twice, and nobody else while we speak", info.extra
        return f"{lacks}, of use only where a microphone hears a loudspeaker: {info.install_hint}", ""
    open_canceller(info.name).close()
    used = "used" if audio.loopback != "off" else "used where audio.loopback listens to what this machine plays"
    return f"{info.name}, {used}", ""
