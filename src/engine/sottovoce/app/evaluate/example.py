"""A small example for `sottovoce eval`: questions of the sample notes, spoken by espeak-ng, and noise."""

from __future__ import annotations

import csv
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np

from sottovoce.app.demo import SAMPLE_NOTES
from sottovoce.app.evaluate.command import NOTES_FOLDER
from sottovoce.app.evaluate.manifest import COLUMNS, NONE
from sottovoce.audio.resampler import Resampler
from sottovoce.audio.wav import WavWriter
from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import ConfigError
from sottovoce.core.types import Mono
from sottovoce.core.units import db_to_gain
from sottovoce.speech.registry import open_synthesizer

SAMPLERATE = 16_000

#: Seconds of the room before and after each question, and how loud the room is.
PAUSE_S, ROOM_DBFS = 0.8, -60.0

VOICES = ("en-us", "en-us+f3")
#: Questions of the sample notes, and one that no note answers.
ASKED = (
    ("Who is responsible for quality?", "Who is responsible for quality?"),
    ("What do you need from the board today?", "What do you need from the board today?"),
    ("How many planets are there?", NONE),
)
#: Conditions, and how far the noise lies below the voice (dB).
CONDITIONS = {"quiet": None, "5 dB": 5.0}


def write_example(folder: Path) -> None:
    """Write recordings, notes and a manifest.

    Raises
    ------
    ConfigError
        There is something at ``folder``, or it cannot be written.
    BackendUnavailableError
        espeak-ng is not installed.
    """
    if folder.exists():
        raise ConfigError(f"there is something at {folder} already", key="DIR", hint="name a folder to be made")
    rows = []
    recordings: dict[str, Mono] = {}
    for question, (text, note) in enumerate(ASKED, 1):
        for voice in VOICES:
            spoken = _spoken(text, voice)
            for condition, snr_db in CONDITIONS.items():
                name = f"{question}-{voice.replace('+', '-')}-{condition.replace(' ', '')}.wav"
                recordings[name] = _in_room(spoken, snr_db)
                speech = f"{PAUSE_S:g}-{PAUSE_S + len(spoken) / SAMPLERATE:.2f}"
                rows.append((name, text, speech, voice, "", note, condition))
    recordings["nobody.wav"] = _in_room(np.zeros(2 * SAMPLERATE, np.float32), None)
    rows.append(("nobody.wav", "", NONE, "", "", "", "quiet"))
    try:
        folder.mkdir(parents=True)
        shutil.copytree(SAMPLE_NOTES, folder / NOTES_FOLDER)
        with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows)
        for name, audio in recordings.items():
            with WavWriter(folder / name, SAMPLERATE, 1) as recording:
                recording.write(audio[:, None])
    except OSError as error:
        hint = "name a folder that you may make"
        raise ConfigError(f"{folder} cannot be written: {error.strerror}", key="DIR", hint=hint) from error


def _spoken(text: str, voice: str) -> Mono:
    with closing(open_synthesizer("espeak", voice=voice, speed=0.9)) as synthesizer:
        sound = np.concatenate(list(synthesizer.synthesize(text, "en", CancelToken())))
    resampler = Resampler(synthesizer.samplerate, SAMPLERATE)
    audio: Mono = np.concatenate([resampler.process(sound), resampler.flush()]).astype(np.float32)
    loud = np.flatnonzero(np.abs(audio) > db_to_gain(-50.0))
    return audio[loud[0] : loud[-1] + 1] if len(loud) else audio


def _in_room(spoken: Mono, snr_db: float | None) -> Mono:
    """Speech in a room that hisses a little, and with noise that is so far below it."""
    pause = np.zeros(round(PAUSE_S * SAMPLERATE), np.float32)
    audio = np.concatenate([pause, spoken, pause])
    hiss = np.random.default_rng(7).standard_normal(len(audio)).astype(np.float32)
    level = db_to_gain(ROOM_DBFS)
    if snr_db is not None:
        level = float(np.sqrt(np.mean(spoken**2))) / db_to_gain(snr_db)
    made: Mono = np.clip(audio + np.float32(level) * hiss, -1.0, 1.0).astype(np.float32)
    return made
