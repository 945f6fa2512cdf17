"""The public recordings that figures of hearing are measured on, and what is made of them; none where they are not.

They lie in ``data/speech`` of the folder that SOTTOVOCE_SHARED names, or of a folder ``shared`` beside the project.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from sottovoce.core.types import Mono
from sottovoce.core.units import db_to_gain
from sottovoce.speech.asr.pocketsphinx import words_of
from sottovoce.speech.evaluation.frames import Span

RATE = 16_000

#: Silence (s) within a sentence that is still speech where words are marked one by one; as people mark turns.
BRIDGED_S = 0.25


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of the manifest, at :data:`RATE`; ``text`` and ``speaker`` are empty where they are not known."""

    path: Path
    kind: str
    speaker: str
    text: str
    audio: Mono

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def length_s(self) -> float:
        return len(self.audio) / RATE


def folder() -> Path | None:
    """Where the recordings are, or None."""
    root = Path(os.environ.get("SOTTOVOCE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    speech = root / "data" / "speech"
    return speech if (speech / "MANIFEST.csv").is_file() else None


def recordings(*kinds: str) -> list[Recording]:
    """Those that lie in folders of these names, in the order of the manifest."""
    speech = folder()
    if speech is None:
        return []
    found = []
    with (speech / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            kind = row["file"].partition("/")[0]
            if kind in kinds:
                audio, rate = soundfile.read(speech / row["file"], dtype="float32")
                if rate != RATE:
                    raise ValueError(f"{row['file']} has {rate} Hz")
                text = "" if row["transcript"].startswith("see ") else row["transcript"].lower()
                found.append(Recording(speech / row["file"], kind, row["speaker"], text, audio))
    return found


def marked_turns(recording: Recording) -> list[Span]:
    """Where people have marked speech, in the file of turns beside a recording of a meeting."""
    lines = recording.path.with_suffix(".rttm").read_text(encoding="utf-8").splitlines()
    turns = [tuple(map(float, line.split()[3:5])) for line in lines]
    return [(start_s, start_s + length_s) for start_s, length_s in turns]


def marked_words(recording: Recording) -> list[Span]:
    """Where words lie, in the alignment beside a recording."""
    words = json.loads(recording.path.with_suffix(".json").read_text(encoding="utf-8"))["w"]
    return [(word["b"], word["b"] + word["d"]) for word in words if not word["t"].startswith("<")]


def aligned_words(recordings: Sequence[Recording]) -> list[list[Span]]:
    """Where the words of each transcript lie, found by letting pocketsphinx align them; empty where it cannot.

    That is no detector's doing, so that detectors may be measured by it. Only for recordings without noise.
    """
    import pocketsphinx

    decoder = pocketsphinx.Decoder(loglevel="FATAL")
    found = []
    for recording in recordings:
        words = words_of(recording.text)
        if not words or not all(decoder.lookup_word(word) for word in words):
            found.append([])
            continue
        decoder.set_align_text(" ".join(words))
        decoder.start_utt()
        decoder.process_raw((recording.audio * 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        found.append(
            [
                (word.start_frame / 100, (word.end_frame + 1) / 100)
                for word in decoder.seg() or ()
                if not word.word.startswith(("<", "[", "++", "("))
            ]
        )
    return found


def bridged(spans: Iterable[Span], gap_s: float = BRIDGED_S) -> list[Span]:
    """Intervals with gaps up to ``gap_s`` closed."""
    joined: list[Span] = []
    for start_s, end_s in sorted(spans):
        if joined and start_s - joined[-1][1] <= gap_s:
            joined[-1] = joined[-1][0], max(joined[-1][1], end_s)
        else:
            joined.append((start_s, end_s))
    return joined


def in_noise(
    speech: Recording, marks: Sequence[Span], noise: Mono, snr_db: float, *, pause_s: float = 1.5
) -> tuple[Mono, list[Span]]:
    """A recording with a pause before and after it, and noise over all of it; and where its words lie then.

    The ratio counts over what is marked as a word.
    """
    pause = np.zeros(round(pause_s * RATE), np.float32)
    spoken = np.concatenate([speech.audio[round(start * RATE) : round(end * RATE)] for start, end in marks])
    audio = np.concatenate([pause, speech.audio, pause])
    over = np.resize(noise, len(audio))
    gain = _rms(spoken) / (_rms(over) * db_to_gain(snr_db))
    mixed: Mono = (audio + np.float32(gain) * over).astype(np.float32)
    peak = float(np.abs(mixed).max())
    return mixed / np.float32(max(1.0, peak)), [(start + pause_s, end + pause_s) for start, end in marks]


def _rms(audio: Mono) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
