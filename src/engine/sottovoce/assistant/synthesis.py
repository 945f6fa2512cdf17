"""From theses to speech: a pool of threads that synthesise ahead of the narrator."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from sottovoce.assistant.messages import Thesis, TurnEvent
from sottovoce.assistant.notices import BackendFailed, Notice, StageReached
from sottovoce.assistant.ports import Purse
from sottovoce.assistant.token import TurnToken
from sottovoce.core.clock import Clock
from sottovoce.core.errors import BackendError
from sottovoce.core.queues import BoundedQueue, QueueState, WhenFull
from sottovoce.core.types import Mono
from sottovoce.metrics.stages import Stage
from sottovoce.speech.tts.base import Synthesizer
from sottovoce.speech.usage import charged_to

#: Chunks of one thesis that may lie ready; a synthesiser that is further ahead waits.
CHUNKS_AHEAD = 512


def _chunk_queue() -> BoundedQueue[Mono]:
    return BoundedQueue(CHUNKS_AHEAD, WhenFull.BLOCK)


@dataclass(slots=True, eq=False)
class SpokenThesis:
    """A thesis on its way to the ear.

    Attributes
    ----------
    thesis : Thesis
        What is spoken.
    token : TurnToken
        The turn that it is spoken for.
    chunks : BoundedQueue of Mono
        Its speech; closed at the end, or when the turn is given up.
    error : str
        Why speech is missing, or empty; settled when ``chunks`` is closed.
    """

    thesis: Thesis
    token: TurnToken
    chunks: BoundedQueue[Mono] = field(default_factory=_chunk_queue)
    error: str = ""


class SynthesisPool:
    """Synthesises theses in the order given, several at once; :meth:`work` is the body of each thread.

    Parameters
    ----------
    capacity : int
        Theses that may wait; more than a turn can have, since those of a turn given up are taken out.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        capacity: int,
        purse: Purse,
        post: Callable[[TurnEvent | Notice], None],
        clock: Clock,
    ) -> None:
        self._synthesizer = synthesizer
        self._purse = purse
        self._post = post
        self._clock = clock
        self._jobs: BoundedQueue[SpokenThesis] = BoundedQueue(capacity, WhenFull.BLOCK)

    @property
    def waiting(self) -> QueueState:
        """Theses for which no thread is free."""
        return self._jobs.state

    def submit(self, spoken: SpokenThesis) -> None:
        """Synthesise ``spoken`` as soon as a thread is free."""
        spoken.token.cancel.on_cancel(spoken.chunks.close)
        self._jobs.put(spoken)

    def forget(self, token: TurnToken) -> None:
        """Take what waits for this turn out of the queue."""
        self._jobs.remove_where(lambda spoken: spoken.token is token)

    def close(self) -> None:
        self._jobs.close()

    def work(self) -> None:
        while (spoken := self._jobs.get()) is not None:
            try:
                with charged_to(self._purse.for_turn(spoken.token.generation)):
                    self._synthesize(spoken)
            finally:
                spoken.chunks.close()

    def _synthesize(self, spoken: SpokenThesis) -> None:
        token, first = spoken.token, spoken.thesis.number == 1
        frames = 0
        if first:
            self._reached(token, Stage.TTS_START)
        try:
            stream = self._synthesizer.synthesize(spoken.thesis.text, token.language, token.cancel)
            with closing(stream) as chunks:  # type: ignore[type-var]
                for chunk in chunks:
                    sound = self._checked(chunk)
                    if not len(sound):
                        continue
                    if first and not frames:
                        self._reached(token, Stage.TTS_FIRST_CHUNK)
                    frames += len(sound)
                    if token.cancel.cancelled or spoken.chunks.put(sound) is not None:
                        return
        except BackendError as failure:
            spoken.error = failure.message
            self._post(BackendFailed.of(failure, "tts"))
        if not frames and not spoken.error:
            spoken.error = "the synthesiser gave no sound"

    def _checked(self, chunk: Mono) -> Mono:
        """What a loudspeaker can be given: an error for another type or shape, silence for what is no number."""
        if chunk.ndim != 1 or chunk.dtype != np.float32:
            raise BackendError(
                f"the synthesiser gave {chunk.dtype} of shape {chunk.shape}; float32 of shape (frames,) is wanted",
                backend=self._synthesizer.name,
            )
        return chunk if np.isfinite(chunk).all() else np.nan_to_num(chunk, nan=0.0, posinf=1.0, neginf=-1.0)

    def _reached(self, token: TurnToken, stage: Stage) -> None:
        self._post(StageReached(token.generation, stage, self._clock.now_ns()))
