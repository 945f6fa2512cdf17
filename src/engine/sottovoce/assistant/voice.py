"""How the voice output is held and how loud it is, as the wearer wants it."""

from __future__ import annotations

import threading

from sottovoce.assistant import notices
from sottovoce.assistant.controls import LEAST_GAIN_DB, MOST_GAIN_DB
from sottovoce.assistant.ports import VoiceOutput
from sottovoce.core.units import db_to_gain


class Voice:
    """Holds a voice output and sets its loudness, from any thread; returns what is to be told of it.

    Parameters
    ----------
    output : VoiceOutput
        Which.
    gain_db : float
        Its loudness at first, as it was set by whoever made it.
    """

    def __init__(self, output: VoiceOutput, gain_db: float) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._first_db = self._gain_db = gain_db
        self.paused = False

    def hold(self, paused: bool) -> notices.VoiceChanged:
        with self._lock:
            if paused != self.paused:
                self.paused = paused
                if paused:
                    self._output.pause()
                else:
                    self._output.resume()
            return self._changed()

    def step(self, step_db: float) -> notices.VoiceChanged:
        with self._lock:
            self._gain_db = min(max(self._gain_db + step_db, LEAST_GAIN_DB), MOST_GAIN_DB)
            self._output.set_gain(db_to_gain(self._gain_db))
            return self._changed()

    def _changed(self) -> notices.VoiceChanged:
        return notices.VoiceChanged(self.paused, self._gain_db - self._first_db)
