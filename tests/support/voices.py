"""Voices of espeak, as people who speak when a test wants it; and what goes wrong with microphones."""

from __future__ import annotations

from functools import cache

import numpy as np

from sottovoce.audio.resampler import Resampler
from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.registry import open_synthesizer

SAMPLERATE = 16_000

#: A fable with most sounds of the language, in sentences.
SENTENCES = (
    "The North Wind and the Sun were disputing which of them was the stronger.",
    "Then a traveller came along, wrapped in a warm cloak.",
    "They agreed that the one who first made the traveller take off his cloak should be thought the stronger.",
    "Then the North Wind blew as hard as he could.",
    "But the more he blew, the more closely did the traveller fold his cloak around him.",
    "At last the North Wind gave up the attempt.",
    "Then the Sun shone out warmly, and at once the traveller took off his cloak.",
    "And so the North Wind had to own that the Sun was the stronger of the two.",
)

#: Voice of espeak, and how much shorter the throat is.
WEARER, STRANGER = ("en-us+m7", 0.95), ("en-us+f4", 1.2)

Voice = tuple[str, float]


@cache
def say(voice: Voice, first: int = 0, last: int = len(SENTENCES), pause_s: float = 0.35) -> Mono:
    """Some of the sentences in a voice, with pauses and the faint noise of a room."""
    synthesizer = open_synthesizer("espeak", voice=voice[0], speed=1.0 / voice[1])
    parts = []
    for sentence in SENTENCES[first:last]:
        sound = np.concatenate(list(synthesizer.synthesize(sentence, "en", CancelToken())))
        resampler = Resampler(round(voice[1] * synthesizer.samplerate), SAMPLERATE)
        parts += [resampler.process(sound), resampler.flush(), np.zeros(round(pause_s * SAMPLERATE), np.float32)]
    audio = np.concatenate(parts[:-1]).astype(np.float32)
    audio *= np.float32(0.3 / np.abs(audio).max())
    audio += room_noise(len(audio))
    audio.flags.writeable = False
    return audio


def room_noise(frames: int, dbfs: float = -72.0) -> Mono:
    return (10.0 ** (dbfs / 20.0) * np.random.default_rng(frames).standard_normal(frames)).astype(np.float32)


def with_offset(audio: Mono) -> Mono:
    return audio + np.float32(0.05)


def with_hum(audio: Mono, hz: float = 50.0) -> Mono:
    at_s = np.arange(len(audio)) / SAMPLERATE
    hum = 0.05 * np.sin(2 * np.pi * hz * at_s) + 0.01 * np.sin(6 * np.pi * hz * at_s)
    return (audio + hum).astype(np.float32)


def on_the_telephone(audio: Mono) -> Mono:
    """300 to 3400 Hz, and nothing else."""
    spectrum = np.fft.rfft(audio)
    frequencies = np.fft.rfftfreq(len(audio), 1.0 / SAMPLERATE)
    spectrum[(frequencies < 300.0) | (frequencies > 3400.0)] = 0.0
    return np.fft.irfft(spectrum, len(audio)).astype(np.float32)


def clipped(audio: Mono, share: float = 0.15) -> Mono:
    top = share * float(np.abs(audio).max())
    return (np.clip(audio, -top, top) / top).astype(np.float32)


def music(seconds: float) -> Mono:
    """Chords that change twice a second, with the decay of a piano."""
    beat = SAMPLERATE // 2
    at_s = np.arange(beat) / SAMPLERATE
    chords = ((220.0, 277.2, 329.6), (196.0, 246.9, 293.7), (174.6, 220.0, 261.6), (164.8, 207.7, 246.9))
    parts = []
    for number in range(int(2 * seconds)):
        tones = sum(
            np.sin(2 * np.pi * hz * harmonic * at_s) / harmonic**1.5
            for hz in chords[number % len(chords)]
            for harmonic in range(1, 9)
        )
        parts.append(tones * np.exp(-3.0 * at_s))
    audio = np.concatenate(parts)
    return (0.3 * audio / np.abs(audio).max()).astype(np.float32)
