"""What a call of a service has used up: told by whoever calls it, priced, and kept with a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: What calls are made for: recognition, theses, speech.
Part: TypeAlias = Literal["asr", "llm", "tts"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call has used up; 0 is what a service of this kind does not count.

    Attributes
    ----------
    part : str
        "asr", "llm" or "tts".
    provider : str
        Who is paid: a service by its name in the settings, else the host of the server.
    model : str
        The model, or the voice where prices go by voices.
    input_tokens : int
        Tokens that were sent, all of them.
    cached_tokens, audio_tokens : int
        Those among them that the service had kept from an earlier call, and those that are sound.
    output_tokens : int
        Tokens of the answer.
    audio_s : float
        Length of the sound that was sent, or came, in seconds.
    characters : int
        Length of the text that was to be spoken.
    estimated : bool
        Whether the tokens were counted here, because the service did not say.
    """

    part: Part
    provider: str
    model: str
    input_tokens: int = 0
    cached_tokens: int = 0
    audio_tokens: int = 0
    output_tokens: int = 0
    audio_s: float = 0.0
    characters: int = 0
    estimated: bool = False
