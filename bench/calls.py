"""Calls that never were: a wearer speaks over another person whose voice comes from a loudspeaker and leaks into the
microphone, with a room, a delay, a gain and the distortion of a small loudspeaker. Real recordings, simulated echo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.recordings import RATE, Recording, recordings
from bench.rooms import image_room
from sottovoce.core.types import Mono
from sottovoce.core.units import db_to_gain, s_to_frames
from sottovoce.speech.conditioner import HighPass

#: Speakers of ``libri_test_other`` for tuning, and those for testing.
TUNING = ("libri-1688", "libri-2033")
TESTING = ("libri-2609", "libri-3080", "libri-3331")

#: Level of a voice at the microphone, and of the room around it.
VOICE_DBFS, ROOM_DBFS = -26.0, -62.0

#: Rectangular rooms: size, loudspeaker, microphone (m), share of the pressure that walls reflect.
_TUNING_ROOMS = (
    ((4.0, 3.0, 2.6), (1.2, 1.0, 0.8), (1.6, 1.1, 0.9), 0.6),
    ((3.2, 2.8, 2.5), (1.0, 1.4, 0.8), (1.5, 1.3, 1.0), 0.75),
)
_TESTING_ROOMS = (
    ((4.6, 3.7, 2.7), (2.0, 1.2, 0.8), (2.4, 1.5, 1.0), 0.65),
    ((3.0, 2.4, 2.4), (0.9, 1.1, 0.9), (1.2, 1.3, 0.9), 0.8),
    ((6.5, 5.0, 3.0), (3.1, 2.2, 0.8), (3.8, 2.4, 1.1), 0.7),
)
#: Delays of a sound card, of a busy one, and of a slow loudspeaker (s); how loud the echo is against the wearer (dB).
_DELAYS_S = (0.03, 0.12, 0.25)
_ECHO_DB = (-12.0, -6.0, 0.0)

#: Sentences of the wearer in one call, seconds in which the other one is alone at first, and between two sentences.
_SENTENCES, _LEAD_S, _GAP_S = 3, 8.0, 1.3
_LONGEST_S = 9.0


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence in a call; ``words`` is what is said in it."""

    words: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes
    ----------
    far : Mono
        What the other one says, as the loopback has it.
    own : Mono
        What the microphone hears of the wearer and the room.
    echo : Mono
        What it hears of the loudspeaker.
    near_said, far_said : tuple of Said
        The sentences of both.
    wearer : str
        Who wears it; ``enrolled`` are sentences of theirs that are not in the call.
    delay_s, echo_db : float
        Of the echo: behind the loopback, less the way through the air, and how loud against the wearer.
    """

    wearer: str
    enrolled: tuple[Recording, ...]
    far: Mono
    own: Mono
    echo: Mono
    near_said: tuple[Said, ...]
    far_said: tuple[Said, ...]
    delay_s: float
    echo_db: float

    @property
    def microphone(self) -> Mono:
        """What the microphone hears."""
        return self.own + self.echo

    @property
    def length_s(self) -> float:
        return len(self.far) / RATE

    def alone(self, what: tuple[Said, ...], others: tuple[Said, ...]) -> Iterator[slice]:
        """Frames in which only the sentences ``what`` sound, and none of ``others``."""
        for said in what:
            at, end = said.start_s, said.end_s
            for other in sorted(others, key=lambda each: each.start_s):
                if other.start_s >= end or other.end_s <= at:
                    continue
                if other.start_s > at:
                    yield slice(s_to_frames(at, RATE), s_to_frames(other.start_s, RATE))
                at = max(at, other.end_s)
            if at < end:
                yield slice(s_to_frames(at, RATE), s_to_frames(end, RATE))


def calls(speakers: Sequence[str] = TESTING) -> list[Call]:
    """Every speaker in turn as the wearer, with the next one at the other end; none without the recordings."""
    read = [one for one in recordings("libri_test_other") if one.speaker in speakers]
    if not read:
        return []
    noise = next(one.audio for one in recordings("noise") if one.name == "noise3")
    rooms = _TUNING_ROOMS if set(speakers) <= set(TUNING) else _TESTING_ROOMS
    made = []
    for number, wearer in enumerate(speakers):
        own = [one for one in read if one.speaker == wearer]
        other = [one for one in read if one.speaker == speakers[(number + 1) % len(speakers)]]
        for fold in range(2):
            said = [one for one in own[fold::2] if one.length_s <= _LONGEST_S]
            enrolled = tuple(own[1 - fold :: 2])
            for first in range(0, len(said), _SENTENCES):
                kind = len(made)
                echo = (rooms[kind % len(rooms)], _DELAYS_S[kind % 3], _ECHO_DB[(kind + kind // 3) % 3])
                far = other[kind % len(other) :] + other[: kind % len(other)]
                made.append(_call(wearer, enrolled, said[first : first + _SENTENCES], far, noise, echo))
    return made


def _call(
    wearer: str,
    enrolled: tuple[Recording, ...],
    near: Sequence[Recording],
    far: Sequence[Recording],
    noise: Mono,
    echo: tuple[
        tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float], float], float, float
    ],
) -> Call:
    (size_m, source_m, ear_m, reflection), delay_s, echo_db = echo
    near_said, at = [], _LEAD_S
    for one in near:
        near_said.append((one, at))
        at += one.length_s + _GAP_S
    end_s = at + 1.0
    far_said, far_at, turn = [], 0.3, 0
    while far_at < end_s - 1.0:  # the other one hardly ever stops
        one = far[turn % len(far)]
        far_said.append((one, far_at))
        far_at += one.length_s + 0.5
        turn += 1
    end_s = max(end_s, far_at + 0.7)
    frames = s_to_frames(end_s, RATE)
    played = _laid_out(far_said, frames)
    room = image_room(size_m, source_m, ear_m, reflection, length_s=0.3)
    leaked = delayed(np.convolve(_loudspeaker(played), room)[:frames], delay_s)
    leaked *= db_to_gain(VOICE_DBFS + echo_db) / _loud(leaked)
    own = _laid_out(near_said, frames) + db_to_gain(ROOM_DBFS) / _loud(noise) * np.resize(noise, frames)
    return Call(
        wearer,
        enrolled,
        played,
        own.astype(np.float32),
        leaked.astype(np.float32),
        tuple(Said(one.text, start_s, start_s + one.length_s) for one, start_s in near_said),
        tuple(Said(one.text, start_s, start_s + one.length_s) for one, start_s in far_said),
        delay_s,
        echo_db,
    )


def delayed(audio: Mono, delay_s: float) -> Mono:
    """Later by so much, and as long."""
    frames = s_to_frames(delay_s, RATE)
    return np.concatenate([np.zeros(frames, audio.dtype), audio])[: len(audio)]


def _laid_out(said: Sequence[tuple[Recording, float]], frames: int) -> Mono:
    out = np.zeros(frames, np.float32)
    for one, start_s in said:
        start = s_to_frames(start_s, RATE)
        voice = one.audio[: frames - start]
        out[start : start + len(voice)] += np.float32(db_to_gain(VOICE_DBFS) / _loud(one.audio)) * voice
    return out


def _loudspeaker(audio: Mono) -> Mono:
    """A small one: nothing low, and loud sounds bent."""
    voiced = HighPass(RATE, 180.0).process(audio).astype(np.float64)
    drive = 0.8 / np.abs(voiced).max()
    bent: Mono = (np.tanh(drive * voiced) / drive).astype(np.float32)
    return bent


def _loud(audio: Mono) -> float:
    """RMS of what is louder than the mean: of speech without its pauses."""
    squares = np.square(audio, dtype=np.float64)
    return float(np.sqrt(squares[squares > squares.mean()].mean()))
