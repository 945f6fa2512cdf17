"""Yielding to somebody who speaks, faster than Python: which way, and from when on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, get_args

from sottovoce.audio.negotiate import check_choice
from sottovoce.core.errors import ConfigError
from sottovoce.native.activity import (
    MAX_HOLD_S,
    MAX_MARGIN_DB,
    MAX_THRESHOLD_DBFS,
    MIN_MARGIN_DB,
    MIN_THRESHOLD_DBFS,
    Activity,
)

ReflexMode: TypeAlias = Literal["off", "duck", "pause"]

MIN_DUCK_GAIN_DB = -120.0


class Listener(Protocol):
    """What hears somebody speak: a Recorder."""

    @property
    def activity(self) -> Activity: ...


@dataclass(frozen=True, slots=True)
class Reflex:
    """How playback yields to somebody who speaks.

    Meant for an earpiece: it does not leak. A microphone that hears the loudspeaker takes the player's own voice for
    somebody's, and yields to it.

    Parameters
    ----------
    mode : {"duck", "pause", "off"}
        Play on more quietly, stop where it is and go on afterwards, or do nothing.
    threshold_dbfs : float
        Least level of speech (root mean square), -90 to 0.
    margin_db : float
        Least distance of speech to the noise around, 0 to 60.
    hold_s : float
        How long it lasts after the last block of speech, 0 to 60.
    duck_gain_db : float
        How loud a source is that ducks, relative to its own gain, -120 to 0.

    Raises
    ------
    ConfigError
        (a ValueError) if an argument is not allowed.
    """

    mode: ReflexMode = "duck"
    threshold_dbfs: float = -45.0
    margin_db: float = 12.0
    hold_s: float = 0.4
    duck_gain_db: float = -18.0

    def __post_init__(self) -> None:
        check_choice("mode", self.mode, get_args(ReflexMode))
        _check_range("threshold_dbfs", self.threshold_dbfs, MIN_THRESHOLD_DBFS, MAX_THRESHOLD_DBFS)
        _check_range("margin_db", self.margin_db, MIN_MARGIN_DB, MAX_MARGIN_DB)
        _check_range("hold_s", self.hold_s, 0.0, MAX_HOLD_S)
        _check_range("duck_gain_db", self.duck_gain_db, MIN_DUCK_GAIN_DB, 0.0)


def _check_range(key: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ConfigError(f"{key} is {value}; allowed: {least:g} to {most:g}", key=key)
