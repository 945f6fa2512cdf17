"""What the microphone heard, what the machine played and what we played ourselves, in the same stretch of time."""

from __future__ import annotations

from dataclasses import dataclass

from sottovoce.core.types import Mono


@dataclass(frozen=True, slots=True)
class PairedBlock:
    """A block of every ear on one clock, that of the microphone; 16 kHz, float32, shape (frames,), equally long.

    What is away is silence: exact zeros. Times are those of capture: what the loudspeaker makes of `loopback` reaches
    `microphone` later, by the latency of the output, the way through the air and the latency of the input.

    Attributes
    ----------
    start_frame : int
        Of its first frame, counted from the start of the session.
    microphone : Mono
        What the microphone heard.
    loopback : Mono
        What the machine played, our own voice included if it goes to the same output.
    own : Mono
        What we have given to our output, after gain, pauses and fades.
    microphone_there, loopback_there : bool
        Whether that ear is there, at the end of the block.
    own_sounds : bool
        Whether `own` is not silent.
    offset_s : float
        By how much the frames of `loopback` were captured later than those of `microphone` beside them, as measured;
        near 0 once the pair has settled.
    drift_ppm : float
        By how much the clock of the loopback is found to run faster than that of the microphone.
    loopback_moved, own_moved : bool
        Whether it has been put in another place beside `microphone` in this block: what was learned of the delay
        between them is void.
    """

    start_frame: int
    microphone: Mono
    loopback: Mono
    own: Mono
    microphone_there: bool = True
    loopback_there: bool = True
    own_sounds: bool = False
    offset_s: float = 0.0
    drift_ppm: float = 0.0
    loopback_moved: bool = False
    own_moved: bool = False
