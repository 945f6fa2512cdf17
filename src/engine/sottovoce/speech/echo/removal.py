"""A stream without the echo of what was played: the canceller, and the lag made up for.

Pure: no thread, no clock.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.types import Mono
from sottovoce.core.units import db_to_gain, gain_to_db, s_to_frames
from sottovoce.speech.aec.base import EchoCanceller
from sottovoce.speech.echo.delay import DelaySettings, DelayTracker, EchoDelay
from sottovoce.speech.echo.framing import Delay

_LOG = get_logger("speech.echo")

#: How far behind its reference the canceller finds an echo once the lag is made up for.
_HEADROOM_S = 0.02
#: The reference counts as playing from this level (RMS of a block) on.
_PLAYING = db_to_gain(-60.0)
#: After so long with nothing at all played there is no echo, and the canceller rests.
_RESTS_AFTER_S = 1.0
#: How much of the power before counts with each block that is played, in what was taken away: some two seconds.
_MEMORY = 0.995


@dataclass(frozen=True, slots=True)
class EchoReport:
    """What has been found of an echo, and what was done about it.

    Attributes
    ----------
    delay : EchoDelay or None
        How far it lags behind its reference; None as long as there is none.
    removed_db : float
        How much weaker the stream has become while something was played; what somebody says meanwhile counts too, so
        that the echo itself has become weaker than that.
    failure : str
        Why nothing is removed any more, or empty.
    """

    delay: EchoDelay | None
    removed_db: float
    failure: str


class EchoRemoval:
    """Takes the echo of one reference out of a stream.

    A canceller finds an echo that lags up to ``most_lag_s`` by itself; one that lags more (a Bluetooth loudspeaker), as
    measured on what is heard, gets a reference that is held back. If the canceller fails, that is logged once, and the
    stream goes on as it is.

    Parameters
    ----------
    canceller : EchoCanceller
        It belongs to this from now on, and is closed with it.
    delay : DelaySettings, optional
        How the lag is measured.
    """

    def __init__(self, canceller: EchoCanceller, delay: DelaySettings | None = None) -> None:
        self.samplerate = canceller.samplerate
        self.blocksize = canceller.blocksize
        #: By how much what is returned is later.
        self.delay_frames = canceller.delay_frames
        self._canceller = canceller
        self._tracker = DelayTracker(canceller.samplerate, delay)
        if self._tracker.until_look % canceller.blocksize:
            raise ConfigError(
                f"every_s is {self._tracker.settings.every_s}; allowed: multiples of "
                f"{canceller.blocksize / canceller.samplerate:g}",
                key="every_s",
            )
        latest = s_to_frames(self._tracker.settings.latest_s, canceller.samplerate)
        self._played = np.zeros(latest, np.float32)
        self._late = Delay(canceller.delay_frames)
        self._held_back = 0
        self._rests_after = round(_RESTS_AFTER_S * canceller.samplerate / canceller.blocksize)
        self._silent = self._rests_after
        self._before = self._after = 0.0
        self._failure = ""

    @property
    def report(self) -> EchoReport:
        """What has been found by now; from any thread."""
        before, after = self._before, self._after
        removed_db = gain_to_db((before / max(after, 1e-12 * before)) ** 0.5) if before > 0.0 else 0.0
        return EchoReport(self._tracker.delay, removed_db, self._failure)

    @property
    def looks(self) -> int:
        """How often an echo was looked for since it was last known that the streams lie as they do."""
        return self._tracker.looks

    def process(self, near: Mono, far: Mono) -> Mono:
        """The next frames without echo, as many as are given, and later by ``delay_frames``.

        Parameters
        ----------
        near, far : Mono
            What was heard and what was played at that time, both of shape (frames,): one or more whole blocks.
        """
        if near.ndim != 1 or near.shape != far.shape or len(near) % self.blocksize:
            raise ValueError(
                f"near and far have the shapes {near.shape} and {far.shape}; "
                f"(frames,) is wanted of both, a multiple of {self.blocksize}"
            )
        done, at = [], 0
        while at < len(near):  # parted where the lag is looked at, so that it makes no difference how blocks came
            piece = slice(at, at + self._tracker.until_look)
            done.append(self._clean(near[piece], far[piece]))
            if self._tracker.feed(near[piece], far[piece]):
                self._follow()
            at += len(near[piece])
        return np.concatenate(done) if done else near

    def forget_delay(self) -> None:
        """What was learned of the lag is void: one of the streams has been put in another place."""
        self._tracker.reset()

    def close(self) -> None:
        """Release the canceller; idempotent."""
        self._canceller.close()

    def _clean(self, near: Mono, far: Mono) -> Mono:
        history = np.concatenate([self._played, far])
        end = len(history) - self._held_back
        played = history[end - len(far) : end]
        self._played = history[len(far) :]
        cleaned = self._late.process(near).copy()
        for first, last in self._played_in(played):
            part = slice(first * self.blocksize, last * self.blocksize)
            if self._failure:
                break
            try:
                cleaned[part] = self._canceller.process(near[part], played[part])
            except BackendError as error:
                self._failure = error.message
                log_event(_LOG, logging.WARNING, "echo is not removed any more", reason=error.message)
            else:
                self._count(near[part], played[part], cleaned[part])
        return cleaned

    def _played_in(self, played: Mono) -> Iterator[tuple[int, int]]:
        """From which block to which there may be an echo."""
        first = 0
        sounds: list[bool] = np.any(played.reshape(-1, self.blocksize) != 0.0, axis=1).tolist()
        for at, sounding in enumerate(sounds):
            resting = self._silent >= self._rests_after
            self._silent = 0 if sounding else self._silent + 1
            if resting and sounding:
                first = at
            elif not resting and self._silent == self._rests_after:
                yield first, at + 1
        if self._silent < self._rests_after:
            yield first, len(sounds)

    def _follow(self) -> None:
        """Hold the reference back where the canceller could not bridge the lag, and only then: it has to learn anew."""
        delay = self._tracker.delay
        if delay is None:
            return
        lag = s_to_frames(delay.seconds, self.samplerate)
        most = s_to_frames(self._canceller.most_lag_s, self.samplerate)
        if not self._held_back <= lag <= self._held_back + most:
            self._held_back = max(0, lag - s_to_frames(_HEADROOM_S, self.samplerate))
        self._canceller.expect((lag - self._held_back) / self.samplerate)
        log_event(
            _LOG,
            logging.INFO,
            "echo found",
            lag_ms=round(1000 * delay.seconds),
            clarity=round(delay.clarity),
            held_back_ms=round(1000 * self._held_back / self.samplerate),
        )

    def _count(self, near: Mono, played: Mono, cleaned: Mono) -> None:
        blocks = (audio.reshape(-1, self.blocksize) for audio in (near, played, cleaned))
        powers = zip(*(np.mean(np.square(block), axis=1) for block in blocks), strict=True)
        for before, playing, after in powers:
            if playing >= _PLAYING**2:
                self._before = _MEMORY * self._before + float(before)
                self._after = _MEMORY * self._after + float(after)
