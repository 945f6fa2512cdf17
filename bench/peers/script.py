"""What is asked and answered in the case ``first_audio``, and how long each emulated service takes for it.

Read by peers in environments of their own, so it needs NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SAMPLERATE = 16_000

#: Reads like a whole question. So does the second, which asks the same in one word more; the third does not, so that
#: only the long silence ends it.
QUESTION = "what does the second floor cost"
WITH_COURTESY = f"{QUESTION} please"
UNFINISHED = "what about the second floor and the"

FIRST_TOKEN_S, TOKEN_S = 0.2, 0.02
#: Three theses of seven tokens; the last token of each brings the line break.
TOKENS = tuple(
    token
    for name in ("one", "two", "three")
    for token in (f"Thesis {name}", " is", " of", " seven", " tokens", " in all", ".\n")
)

TTS_FIRST_S = 0.15
#: A thesis lasts so many chunks of so many seconds, and each chunk comes so long after the one before.
THESIS_CHUNKS, CHUNK_S, CHUNK_EVERY_S = 4, 0.1, 0.01

#: 150 words a minute, as people talk.
WORD_S = 0.4

_LEAD_S, _LEVEL = 0.4, 0.2
#: Longer than the pause that work begins in, shorter than the silence that ends a question.
_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Spoken:
    """A question as the ear hears it; silence follows for as long as it is listened to.

    Attributes
    ----------
    audio : ndarray
        Shape (frames,), float32, at ``SAMPLERATE``.
    end_s : float
        Where its last sound ends.
    """

    audio: npt.NDArray[np.float32]
    end_s: float


def spoken(phase_s: float, text: str = QUESTION, *, paused: str = "") -> Spoken:
    """A question that ends ``phase_s`` later than it might, so that ends fall on any part of a block.

    There is a pause after the words that ``paused`` is.
    """
    silence = np.zeros(round(_LEAD_S * SAMPLERATE), np.float32)
    before_s = len(paused.split()) * WORD_S
    speech = _noise(len(text.split()) * WORD_S - before_s + phase_s)
    if paused:
        pause = np.zeros(round(_PAUSE_S * SAMPLERATE), np.float32)
        speech = np.concatenate([_noise(before_s), pause, speech])
    audio = np.concatenate([silence, speech])
    return Spoken(audio, len(audio) / SAMPLERATE)


def is_speech(block: npt.NDArray[np.float32]) -> bool:
    """What the scripted detectors say: at least half of the block sounds."""
    return bool(2 * np.count_nonzero(block) >= len(block))


def understood(audio: npt.NDArray[np.floating], text: str) -> str:
    """What of a question can be understood of what has been heard: a word when it has been said to its end."""
    return " ".join(text.split()[: int(np.count_nonzero(audio) / SAMPLERATE / WORD_S + 1e-6)])


def chunks(text: str) -> int:
    """How many chunks the speech of ``text`` has."""
    return THESIS_CHUNKS * max(1, text.count("."))


def _noise(seconds: float) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(1)
    return rng.choice([-_LEVEL, _LEVEL], round(seconds * SAMPLERATE)).astype(np.float32)
