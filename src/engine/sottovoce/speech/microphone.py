"""What is wrong with a microphone, heard from its sound: said once, with what to do about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sottovoce.core.types import Mono

FaultKind = Literal["offset", "hum", "telephone", "clipped", "mute", "channel"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, in words for the wearer: what is wrong, and what to do about it; it is survived without."""

    kind: FaultKind
    problem: str
    advice: str


#: Offset from which it is worth a word; it is taken away in any case.
OFFSET = 0.01

#: Share of the power between 20 and 450 Hz that the lines of the mains must hold to be a hum; least level of it (RMS).
HUM_SHARE, HUM_LEAST = 0.8, 1e-3

#: Highest ratio of what a voice has above 4.2 kHz to what it has between 0.3 and 3.4 kHz over a telephone's line, and
#: least level at which that can be told (RMS).
TELEPHONE_RATIO, TELEPHONE_LEAST = 10**-4.5, 3e-3

#: Values of a second at the limit that make it clipped.
CLIPPED = 16

#: How many seconds of the last ones must show a fault.
_OF_LAST = {"offset": (3, 4), "hum": (3, 5), "telephone": (4, 4), "clipped": (2, 10), "mute": (5, 5)}

_LIMIT = 0.999
_SILENCE = 1e-6


class MicrophoneCheck:
    """Listens to whole seconds of raw sound, about 0.4 ms of work for each, and tells each kind of fault once.

    Parameters
    ----------
    samplerate : int
        In Hz; above 9000, or the band of a telephone cannot be told.
    """

    def __init__(self, samplerate: int) -> None:
        self._samplerate = samplerate
        self._second = np.zeros(samplerate, np.float32)
        self._filled = 0
        self._window = np.hanning(samplerate)
        self._signs: dict[str, list[bool]] = {kind: [] for kind in _OF_LAST}
        self._told: set[str] = set()
        self._heard = False
        self._mains_hz = 0

    def hear(self, audio: Mono) -> list[Fault]:
        """Take the next frames, shape (frames,); returns what is new."""
        found: list[Fault] = []
        at = 0
        while at < len(audio):
            piece = audio[at : at + self._samplerate - self._filled]
            self._second[self._filled : self._filled + len(piece)] = piece
            self._filled += len(piece)
            at += len(piece)
            if self._filled == self._samplerate:
                self._filled = 0
                found += self._judge(self._second)
        return found

    def _judge(self, second: Mono) -> list[Fault]:
        peak = float(np.abs(second).max())
        self._heard = self._heard or peak > _SILENCE
        offset = float(second.mean())
        power = np.square(np.abs(np.fft.rfft((second - offset) * self._window)))
        power *= 2.0 / (self._samplerate * float(np.square(self._window).sum()))  # mean square of each line
        clipped = bool(np.count_nonzero(np.abs(second) >= _LIMIT) >= CLIPPED)
        signs = {
            "offset": abs(offset) > OFFSET and not clipped,  # what is cut off on one side has a mean
            "hum": self._hums(power),
            "clipped": clipped,
            "mute": not self._heard,
        }
        telephone = self._telephone(power)
        if telephone is not None:
            signs["telephone"] = telephone
        return [fault for kind, sign in signs.items() if (fault := self._note(kind, sign, offset)) is not None]

    def _note(self, kind: str, sign: bool, offset: float) -> Fault | None:
        wanted, last = _OF_LAST[kind]
        signs = self._signs[kind] = [*self._signs[kind], sign][-last:]
        if kind in self._told or sum(signs) < wanted:
            return None
        self._told.add(kind)
        match kind:
            case "offset":
                problem = f"the microphone has an offset of {100 * offset:.0f} % of full scale, which is taken away"
                return Fault("offset", problem, "nothing; if voices distort, try another input or sound card")
            case "hum":
                advice = "a battery, another socket or a balanced cable ends it"
                return Fault("hum", f"the microphone hums at {self._mains_hz} Hz, which is filtered", advice)
            case "telephone":
                problem = "the microphone hears nothing above 4 kHz, like a telephone: more words will be misheard"
                return Fault("telephone", problem, "choose another input; a headset's own microphone does this")
            case "clipped":
                advice = "turn its level down in the system's settings"
                return Fault("clipped", "the microphone is too loud and distorts", advice)
            case _:
                advice = "unmute it, allow microphones in the system's privacy settings, or choose another input"
                return Fault("mute", "the microphone gives nothing but silence", advice)

    def _hums(self, power: npt.NDArray[np.float64]) -> bool:
        whole = float(power[20:450].sum())
        if whole < HUM_LEAST**2:
            return False
        for mains_hz in (50, 60):
            lines = (line for number in range(1, 8) for line in range(number * mains_hz - 2, number * mains_hz + 3))
            if float(power[list(lines)].sum()) > HUM_SHARE * whole:
                self._mains_hz = mains_hz
                return True
        return False

    def _telephone(self, power: npt.NDArray[np.float64]) -> bool | None:
        """Whether a second of speech has nothing above a telephone's band; None if that cannot be told."""
        voice = float(power[300:3400].sum())
        if self._samplerate < 9000 or voice < TELEPHONE_LEAST**2:
            return None
        return float(power[4200:].sum()) < TELEPHONE_RATIO * voice
