"""How the contract suites open a backend: one that calls a service has the emulator for it."""

from __future__ import annotations

from sottovoce.speech.registry import Kind, describe
from tests.emulator import Emulator

#: A busy machine is no failure of a service.
PATIENCE = {
    "asr": {"first_word_s": 60.0, "stall_s": 60.0},
    "llm": {"first_token_s": 60.0, "stall_s": 60.0},
    "tts": {"first_sound_s": 60.0, "stall_s": 60.0},
}


def service_settings(kind: Kind, name: str, emulator: Emulator) -> dict[str, object]:
    """Settings that point a backend at the emulator; none for one that sends nothing."""
    if not describe(kind, name).sends:
        return {}
    if name == "google":  # its library is loaded only where it is needed
        return {"base_url": emulator.google_url, **PATIENCE[kind]}
    return {"base_url": {"openai": emulator.openai_url, "gemini": emulator.url}[name], **PATIENCE[kind]}
