"""What the wearer can ask for while a session runs."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

#: What moves on to the next thesis: the end of the one before, the wearer who has said it, or only the wearer who asks.
Advance: TypeAlias = Literal["auto", "follow", "manual"]

#: Loudness (dB) of one step, and how far it goes.
GAIN_STEP_DB, LEAST_GAIN_DB, MOST_GAIN_DB = 3.0, -60.0, 12.0

#: The longest question that may be typed, in characters.
MOST_TYPED = 2000


class Control(StrEnum):
    """A wish of the wearer, carried out at once."""

    NEXT = "next"  #: leave the thesis that sounds, go on with the next
    PREVIOUS = "previous"  #: go back to the one before
    REPEAT = "repeat"  #: the one that sounds, or sounded last, from its beginning
    PAUSE = "pause"  #: hold still; once more: go on
    LOUDER = "louder"
    QUIETER = "quieter"
    STOP = "stop"  #: no more of this answer
    MUTE = "mute"  #: hear nothing; once more: listen


class Mute:
    """Whether an ear is deaf, as the wearer wants it; read and set from any thread."""

    def __init__(self) -> None:
        self.on = False
