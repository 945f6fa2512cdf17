"""pocketsphinx while somebody speaks: the model of the notes' questions hears every piece as it comes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from sottovoce.core.cancel import CancelToken
from sottovoce.core.formats import to_int16
from sottovoce.core.threads import ThreadGroup
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Transcript

#: Between two pieces (frames) it is seen that nobody listens any more, and other threads run.
PIECE_FRAMES = 1600

_JOIN_S = 1.0


class LiveDecoder:
    """A decoder of the questions that is fed as they are spoken, for one stream at a time.

    It hears worse than one that has the whole segment, since its features are normalised by the mean of what came
    before; so only a question that is expected is believed, and the final transcript comes from elsewhere.

    Parameters
    ----------
    decoder : pocketsphinx.Decoder
        Knows the questions, and is used by nobody else.
    nearest : callable
        The question that a text comes close to, or None.
    """

    def __init__(self, decoder: Any, nearest: Callable[[str], str | None]) -> None:
        self._decoder = decoder
        self._nearest = nearest
        self._words, self._question = "", ""
        self._taken = threading.Lock()

    def take(self, mean: str) -> bool:
        """Begin a segment, with the cepstral mean of an earlier one or none; False if it is hearing another."""
        if not self._taken.acquire(blocking=False):
            return False
        self._decoder.reinit_feat()
        if mean:
            self._decoder.set_cmn(mean)
        self._decoder.start_utt()
        return True

    def hear(self, audio: Mono) -> str:
        """The question that has been heard with this piece; empty as long as there is none."""
        self._decoder.process_raw(to_int16(audio).tobytes())
        hypothesis = self._decoder.hyp()
        words = hypothesis.hypstr if hypothesis is not None else ""
        if words != self._words:
            self._words, self._question = words, self._nearest(words) or ""
        return self._question

    def give_back(self) -> None:
        self._decoder.end_utt()
        self._taken.release()


class LiveStream:
    """A segment that is being spoken; see :class:`~sottovoce.speech.asr.base.RecognizerStream`.

    Parameters
    ----------
    live : LiveDecoder or None
        None where no questions are expected: then nothing is heard before the end.
    mean : str
        Cepstral mean to begin with.
    transcribe : callable
        Hears the whole segment at its end.
    heard : callable
        Told each question that is believed.
    """

    def __init__(
        self,
        live: LiveDecoder | None,
        mean: str,
        transcribe: Callable[[Mono, CancelToken], Transcript],
        heard: Callable[[str], None],
    ) -> None:
        self._live = live
        self._mean = mean
        self._transcribe = transcribe
        self._heard = heard
        self._condition = threading.Condition()
        self._pieces: list[Mono] = []
        self._open = True
        self._threads = ThreadGroup(lambda error: None)  # logged by the group; the final transcript does without
        if live is not None:
            self._threads.start("asr-live", self._work)

    def feed(self, audio: Mono) -> None:
        with self._condition:
            self._pieces += [audio[at : at + PIECE_FRAMES] for at in range(0, len(audio), PIECE_FRAMES)]
            self._condition.notify_all()

    def finish(self, cancel: CancelToken) -> Transcript:
        self.close()
        whole = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.float32)
        return self._transcribe(whole, cancel)

    def close(self) -> None:
        with self._condition:
            self._open = False
            self._condition.notify_all()
        self._threads.join(_JOIN_S)

    def _work(self) -> None:
        live = self._live
        if live is None or not live.take(self._mean):
            return
        try:
            known, done = "", 0
            while (piece := self._piece(done)) is not None:
                done += 1
                text = live.hear(piece)
                if text != known and self._open:
                    known = text
                    self._heard(text)
        finally:
            live.give_back()

    def _piece(self, number: int) -> Mono | None:
        with self._condition:
            self._condition.wait_for(lambda: not self._open or len(self._pieces) > number)
            return self._pieces[number] if self._open else None
