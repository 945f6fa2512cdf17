"""Ears for the pipeline: a microphone, a recording, or a stage on which the demo asks its questions."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sottovoce.assistant.controls import Mute
from sottovoce.assistant.ports import AudioInput
from sottovoce.audio.downmix import Downmix
from sottovoce.audio.files import AudioFile
from sottovoce.audio.recorder import Recorder
from sottovoce.audio.wav import WavWriter
from sottovoce.core.clock import Clock, MonotonicClock
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.types import Mono
from sottovoce.core.units import s_to_frames
from sottovoce.speech.conditioner import AutomaticGain, HighPass
from sottovoce.speech.microphone import MicrophoneCheck
from sottovoce.speech.noise import NoiseSuppressor

_LOG = get_logger("app")

#: How many decisions of the detector a block of a microphone is long: with more of them the machine wakes less often,
#: and the end of a question is noticed less evenly. The settings of the silences allow for it.
DECISIONS = 2

#: Seconds of one block that is heard on a stage: as long as a microphone's with the better detector.
BLOCK_S = DECISIONS * 0.032

#: Decisions that are read at once while nobody speaks: somebody who begins is noticed a little later, and all that they
#: say is there.
LEISURELY_DECISIONS = 6

#: What is not louder than this is no speech.
SILENCE = 10 ** (-50 / 20)


class KeptInput:
    """Writes what another input hears to a file, until the disk refuses.

    Parameters
    ----------
    source : AudioInput
        What is listened to.
    writer : WavWriter
        Where it is kept; closed by whoever made it.
    """

    def __init__(self, source: AudioInput, writer: WavWriter) -> None:
        self.samplerate = source.samplerate
        self.realtime = source.realtime
        self._source = source
        self._writer: WavWriter | None = writer

    def read(self) -> Mono | None:
        block = self._source.read()
        if block is not None and self._writer is not None:
            try:
                self._writer.write(block[:, None])
            except OSError as error:
                log_event(_LOG, logging.WARNING, "the sound is not kept any more", reason=error.strerror)
                self._writer = None
        return block

    def close(self) -> None:
        self._source.close()


class MutedInput:
    """Another input, whose place silence takes while the wearer wants it: nothing that comes after can hear it.

    Parameters
    ----------
    source : AudioInput
        What is listened to.
    mute : Mute
        What the wearer wants.
    """

    def __init__(self, source: AudioInput, mute: Mute) -> None:
        self.samplerate = source.samplerate
        self.realtime = source.realtime
        self._source = source
        self._mute = mute

    def read(self) -> Mono | None:
        block = self._source.read()
        return np.zeros_like(block) if block is not None and self._mute.on else block

    def close(self) -> None:
        self._source.close()


class ConditionedInput:
    """Another input with rumble taken away and a quiet voice amplified; what is wrong with its sound is logged, once.

    Parameters
    ----------
    source : AudioInput
        What is listened to.
    high_pass_hz : float
        Corner of the high-pass; 0 for none.
    most_gain_db : float
        Most that is amplified; 0 for nothing.
    suppressor : NoiseSuppressor, optional
        Weakens the noise.
    """

    def __init__(
        self,
        source: AudioInput,
        *,
        high_pass_hz: float,
        most_gain_db: float,
        suppressor: NoiseSuppressor | None = None,
    ) -> None:
        self.samplerate = source.samplerate
        self.realtime = source.realtime
        self._source = source
        self._check = MicrophoneCheck(source.samplerate)
        self._suppressor = suppressor
        self._high_pass = HighPass(source.samplerate, high_pass_hz) if high_pass_hz else None
        self._gain = AutomaticGain(source.samplerate, most_gain_db) if most_gain_db else None

    def read(self) -> Mono | None:
        block = self._source.read()
        if block is None:
            return None
        for fault in self._check.hear(block):
            log_event(_LOG, logging.WARNING, fault.problem, advice=fault.advice)
        if self._high_pass is not None:
            block = self._high_pass.process(block)
        if self._suppressor is not None:
            block = self._suppressor.process(block)
        return block if self._gain is None else self._gain.process(block)

    def close(self) -> None:
        self._source.close()


class AmplifiedInput:
    """Another input with a quiet voice amplified.

    Parameters
    ----------
    source : AudioInput
        What is listened to.
    most_gain_db : float
        Most that is amplified; 0 for nothing.
    """

    def __init__(self, source: AudioInput, most_gain_db: float) -> None:
        self.samplerate = source.samplerate
        self.realtime = source.realtime
        self._source = source
        self._gain = AutomaticGain(source.samplerate, most_gain_db) if most_gain_db else None

    def read(self) -> Mono | None:
        block = self._source.read()
        return block if block is None or self._gain is None or not len(block) else self._gain.process(block)

    def close(self) -> None:
        self._source.close()


class MicrophoneInput:
    """Reads a recorder that has been started, without channels that hear nothing.

    Parameters
    ----------
    recorder : Recorder
        What is read.
    decision_s : float
        Seconds that are read at least: as long as a block of the detector. What has come beyond that comes with it.

    Attributes
    ----------
    attentive : bool
        False to read but a few times a second, and all that has come by then: as long as nobody speaks.
    """

    realtime = True

    def __init__(self, recorder: Recorder, decision_s: float) -> None:
        self.samplerate = recorder.samplerate
        self.attentive = True
        self._recorder = recorder
        self._decision_frames = s_to_frames(decision_s, recorder.samplerate)
        self._downmix = Downmix(recorder.channels, recorder.samplerate)
        self._problem = ""

    def read(self) -> Mono | None:
        decisions = 1 if self.attentive else LEISURELY_DECISIONS
        block = self._recorder.read(decisions * self._decision_frames, more=True)
        if not len(block):
            return None
        mono = self._downmix.mix(block)
        if self._downmix.problem != self._problem:
            self._problem = self._downmix.problem
            if self._problem:
                log_event(
                    _LOG, logging.WARNING, self._problem, advice="check its cable and the input of the sound card"
                )
        return mono

    def close(self) -> None:
        self._recorder.close()


class FileInput:
    """Reads a recording as fast as it is wanted."""

    realtime = False

    def __init__(self, file: AudioFile) -> None:
        self.samplerate = file.samplerate
        self._chunks: Iterator[Mono] = iter(file)
        self._closed = False

    def read(self) -> Mono | None:
        return None if self._closed else next(self._chunks, None)

    def close(self) -> None:
        self._closed = True


@dataclass(frozen=True, slots=True)
class _StageBlock:
    audio: Mono
    last_frame: int | None  # of the speech that ends in this block


class StageInput:
    """Silence at the pace of time, and whatever is said on it.

    Parameters
    ----------
    samplerate : int
        In Hz.
    room_dbfs : float
        Level of the room: a little noise, as every microphone hears.

    Attributes
    ----------
    ends_ns : list of int
        When each speech has truly ended (its last sample above :data:`SILENCE`), on the clock, one after another.
    """

    realtime = True

    def __init__(self, samplerate: int, room_dbfs: float = -70.0, clock: Clock | None = None) -> None:
        self.samplerate = samplerate
        self._clock: Clock = clock or MonotonicClock()
        self._block_frames = s_to_frames(BLOCK_S, samplerate)
        rng = np.random.default_rng(7)
        self._room = (10 ** (room_dbfs / 20) * rng.standard_normal(samplerate)).astype(np.float32)
        self._at_frame = 0
        self._start_ns = 0
        self.ends_ns: list[int] = []
        self._spoken: deque[_StageBlock] = deque()
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def say(self, speech: Mono) -> None:
        """Be heard saying ``speech`` (at the stage's samplerate) from the next block on."""
        size = self._block_frames
        blocks = -(-len(speech) // size)
        padded = np.zeros(blocks * size, np.float32)
        padded[: len(speech)] = speech
        loud = np.flatnonzero(np.abs(speech) > SILENCE)
        last = int(loud[-1]) if len(loud) else 0
        with self._lock:
            self._spoken.extend(
                _StageBlock(audio, last - at * size if last // size == at else None)
                for at, audio in enumerate(padded.reshape(blocks, size))
            )

    def read(self) -> Mono | None:
        self._start_ns = self._start_ns or self._clock.now_ns()
        end_frame = self._at_frame + self._block_frames
        due_ns = self._start_ns + round(end_frame * 1e9 / self.samplerate)
        if self._closed.wait(max(0.0, (due_ns - self._clock.now_ns()) / 1e9)):
            return None
        start_frame, self._at_frame = self._at_frame, end_frame
        room = self._room.take(range(start_frame, end_frame), mode="wrap")
        with self._lock:
            spoken = self._spoken.popleft() if self._spoken else None
        if spoken is None:
            return room
        if spoken.last_frame is not None:
            at_frame = start_frame + spoken.last_frame + 1
            self.ends_ns.append(self._start_ns + round(at_frame * 1e9 / self.samplerate))
        return room + spoken.audio

    def close(self) -> None:
        self._closed.set()
