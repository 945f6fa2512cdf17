"""What OpenAI's recognition takes, whole or over a socket: lengths, hints of what may be said, and what it counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sottovoce.core.errors import BackendError
from sottovoce.core.types import Mono
from sottovoce.speech.asr._hint import hint_of
from sottovoce.speech.remote.server import OPENAI
from sottovoce.speech.usage import Call

#: Samplerate (Hz) at which segments are wanted.
SAMPLERATE = 16_000

#: Shorter clips (s) the service refuses, and they hold no word; longer ones go beyond its 25 MB.
MIN_CLIP_S, MAX_CLIP_S = 0.1, 780.0

#: A clip with no sample above this is silence, of which Whisper's models make words.
SILENCE = 1e-4

#: Characters of the hint; the models read the last 224 tokens of it.
MAX_HINT_CHARS = 600

#: Models that take words one by one, and several languages; those that take a language alone; others take a text.
_LISTED, _UNHINTED = ("gpt-transcribe", "gpt-live-transcribe"), ("gpt-realtime-whisper",)


def check_length(frames: int) -> None:
    """A BackendError if a segment is longer than the service takes."""
    length_s = frames / SAMPLERATE
    if length_s > MAX_CLIP_S:
        raise BackendError(
            f"a clip of {length_s:.0f} s is longer than {OPENAI.name} takes ({MAX_CLIP_S:.0f} s)",
            backend=OPENAI.name,
            hint="set vad.max_segment_s to cut it",
        )


def holds_sound(audio: Mono) -> bool:
    """Whether a clip is long and loud enough for a word."""
    return len(audio) >= MIN_CLIP_S * SAMPLERATE and bool(np.abs(audio).max() > SILENCE)


def hints_for(model: str, language: str, phrases: Sequence[str], words: Sequence[str]) -> dict[str, Any]:
    """The language, and what may be said, as this model wants them told, as much as is read."""
    if model.startswith(_UNHINTED):
        return {"language": language}
    if model.startswith(_LISTED):
        told = {"prompt": hint_of(phrases, (), MAX_HINT_CHARS), "keywords": list(words)}
        return {"languages": [language], **{name: hint for name, hint in told.items() if hint}}
    return {"language": language, "prompt": hint_of(phrases, words, MAX_HINT_CHARS)}


def count(usage: object, call: Call) -> None:
    """Take over what the service has counted, if it says so."""
    sent = getattr(usage, "input_tokens", None)
    sound = getattr(getattr(usage, "input_token_details", None), "audio_tokens", None)
    call.told(
        input_tokens=sent,
        audio_tokens=sent if sound is None else sound,
        output_tokens=getattr(usage, "output_tokens", None),
    )
