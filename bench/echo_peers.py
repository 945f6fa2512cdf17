"""Echo cancellers of the registries behind one call: blocks of 10 ms at 16 kHz, a microphone and a reference.

Those that are not installed are left out: ``pip install pywebrtc-audio livekit pyaec``. The first one is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np

from sottovoce.core.formats import to_int16
from sottovoce.core.types import Mono
from sottovoce.speech.echo.removal import EchoRemoval
from sottovoce.speech.registry import open_canceller

BLOCK, RATE = 160, 16_000
#: How long an echo the adaptive filters without a search for the lag model.
_TAIL_FRAMES = 4096

Cancel = Callable[[Mono, Mono], Mono]


def peers() -> Iterator[tuple[str, Callable[[], Cancel]]]:
    """Name of each that is here, and what makes one."""
    for name, make in (
        ("shipped", shipped),
        ("webrtc", webrtc),
        ("livekit", livekit),
        ("speex", speex),
        ("speex_suppressed", speex_suppressed),
        ("aec_audio_processing", aec_audio_processing),
    ):
        with suppress(ImportError, OSError):
            make()
            yield name, make


def shipped() -> Cancel:
    """What a session has: both cancellers that it blends, and the lag measured."""
    return EchoRemoval(open_canceller("blend")).process


def webrtc() -> Cancel:
    """pywebrtc-audio: AEC3 alone."""
    from pywebrtc_audio import EchoCanceller

    canceller = EchoCanceller(sample_rate=RATE)
    return lambda near, far: canceller.process(near, far)  # type: ignore[no-any-return]


def livekit() -> Cancel:
    """livekit: AEC3 in a newer libwebrtc, through its whole audio processing module, 16 bits."""
    from livekit import rtc

    module = rtc.AudioProcessingModule(echo_cancellation=True)

    def frame(audio: Mono) -> rtc.AudioFrame:
        return rtc.AudioFrame(bytearray(to_int16(audio).tobytes()), RATE, 1, len(audio))

    def cancel(near: Mono, far: Mono) -> Mono:
        heard = frame(near)
        module.process_reverse_stream(frame(far))
        module.set_stream_delay_ms(0)
        module.process_stream(heard)
        return _float(np.frombuffer(heard.data, np.int16))

    return cancel


def speex() -> Cancel:
    """pyaec: the adaptive filter of speexdsp alone, 16 bits."""
    return _speex(suppress_rest=False)


def speex_suppressed() -> Cancel:
    """The same, and its suppressor of what is left, and of noise."""
    return _speex(suppress_rest=True)


def _speex(*, suppress_rest: bool) -> Cancel:
    from pyaec import Aec

    canceller = Aec(BLOCK, _TAIL_FRAMES, RATE, suppress_rest)

    def cancel(near: Mono, far: Mono) -> Mono:
        return _float(np.array(canceller.cancel_echo(to_int16(near), to_int16(far)), np.int16))

    return cancel


def aec_audio_processing() -> Cancel:
    """aec-audio-processing: AEC3 of the library that PulseAudio uses, 16 bits."""
    from aec_audio_processing import AudioProcessor

    module = AudioProcessor(enable_aec=True, enable_ns=False, enable_agc=False)
    module.set_stream_format(RATE, 1)
    module.set_reverse_stream_format(RATE, 1)

    def cancel(near: Mono, far: Mono) -> Mono:
        module.process_reverse_stream(to_int16(far).tobytes())
        return _float(np.frombuffer(module.process_stream(to_int16(near).tobytes()), np.int16))

    return cancel


def _float(pcm: np.ndarray[tuple[int], np.dtype[np.int16]]) -> Mono:
    return pcm.astype(np.float32) / np.float32(-np.iinfo(np.int16).min)
