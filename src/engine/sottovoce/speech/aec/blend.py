"""Two cancellers of which each does what it does better: nothing of the other side is left, and the wearer is not hurt.

WebRTC's suppressor takes away all that may be echo, and much of who speaks meanwhile; Speex's filter leaves both. So
the former is heard while only the other side speaks, and the latter as soon as somebody speaks at the microphone, which
shows in how much less the one leaves than the other.
"""

from __future__ import annotations

import numpy as np

from sottovoce.core.types import Mono
from sottovoce.core.units import db_to_gain, s_to_frames
from sottovoce.speech.aec import speex, webrtc
from sottovoce.speech.echo.framing import Delay

NAME = "blend"
EXTRA = "aec"
PACKAGES = (*webrtc.PACKAGES, *speex.PACKAGES)
SENDS = ""

#: Somebody speaks at the microphone if the suppressor leaves more than this of what the filter leaves, in power.
NEAR_SHARE = db_to_gain(-6.0) ** 2
#: How much of the powers before counts with each block of 10 ms, and how many blocks speech lasts beyond the last such.
MEMORY, HOLD_BLOCKS = 0.8, 10
#: Least power that counts.
LEAST = 1e-7

#: How far behind its reference the filter finds an echo once the lag is made up for (s).
_HEADROOM_S = 0.02

#: Part of the way from one to the other in a block: quickly to the wearer, slowly back.
_TO_WEARER, _BACK = 0.34, 0.1


def open() -> BlendedCanceller:
    """Open both."""
    return BlendedCanceller()


class BlendedCanceller:
    """Both cancellers, and a weight between them for each block."""

    name = NAME
    samplerate = webrtc.SAMPLERATE
    blocksize = webrtc.WebRtcCanceller.blocksize
    delay_frames = webrtc.WebRtcCanceller.delay_frames
    most_lag_s = webrtc.WebRtcCanceller.most_lag_s

    def __init__(self) -> None:
        self._suppressor = webrtc.open()
        try:
            self._filter = speex.open()
        except BaseException:  # nobody else would close it
            self._suppressor.close()
            raise
        self._later = Delay(self.delay_frames)
        self._played: Mono = np.zeros(s_to_frames(self.most_lag_s, self.samplerate), np.float32)
        self._held_back = 0
        self._powers = np.zeros(2)
        self._left_blocks = 0
        self._weight = 0.0

    def process(self, near: Mono, far: Mono) -> Mono:
        suppressed = self._suppressor.process(near, far)
        filtered = self._later.process(self._filter.process(near, self._for_filter(far)))
        size = self.blocksize
        fresh = np.stack([np.square(audio).reshape(-1, size).mean(axis=1) for audio in (filtered, suppressed)], axis=1)
        weights = np.empty((len(fresh), 2), np.float32)
        for number, powers in enumerate(fresh):
            weights[number] = self._weight, self._next_weight(powers)
        part = (np.arange(size, dtype=np.float32) + np.float32(1.0)) / np.float32(size)
        weight: Mono = (weights[:, :1] + (weights[:, 1:] - weights[:, :1]) * part).ravel()
        blended: Mono = weight * filtered + (np.float32(1.0) - weight) * suppressed
        return blended

    def expect(self, lag_s: float) -> None:
        """Hold the filter's reference back where its tail would not reach; the suppressor learns on undisturbed."""
        lag = min(s_to_frames(max(0.0, lag_s), self.samplerate), len(self._played))
        reach = s_to_frames(self._filter.most_lag_s, self.samplerate)
        if not self._held_back <= lag <= self._held_back + reach:
            self._held_back = max(0, lag - s_to_frames(_HEADROOM_S, self.samplerate))

    def close(self) -> None:
        self._suppressor.close()
        self._filter.close()

    def _for_filter(self, far: Mono) -> Mono:
        both = np.concatenate([self._played, far])
        self._played = both[len(far) :]
        end = len(both) - self._held_back
        return both[end - len(far) : end]

    def _next_weight(self, powers: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
        """Of the filter, at the end of a block of these powers."""
        self._powers = MEMORY * self._powers + (1.0 - MEMORY) * powers
        filtered, suppressed = self._powers
        if powers[1] > LEAST and suppressed > NEAR_SHARE * filtered:
            self._left_blocks = HOLD_BLOCKS
        else:
            self._left_blocks = max(0, self._left_blocks - 1)
        wanted = 1.0 if self._left_blocks else 0.0
        self._weight += min(max(wanted - self._weight, -_BACK), _TO_WEARER)
        return self._weight
