"""From the true end of a spoken question to the first sample of its answer, with the offline parts, in real time.

Runs `sottovoce demo` as a user does, several times, each in a process of its own. ``first_audio_ms`` is the median over
all questions, ``first_audio_p95_ms`` their 95th percentile; the stages are medians. ``wall_s`` is one whole run from
the start of the process to its end.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TARGETS = {"wall_s": ("<=", 20.0), "heard_exactly": (">=", 1.0)}

STAGES = ("vad_end", "asr", "first_thesis", "tts_first_audio", "first_sample")


def run(quick: bool) -> dict[str, float]:
    """Hold the demo once, or five times, and collect its times."""
    runs: list[dict[str, Any]] = []
    walls_s: list[float] = []
    for _ in range(1 if quick else 5):
        start = time.monotonic()
        runs.append(_hold())
        walls_s.append(time.monotonic() - start)
    turns = [turn for held in runs for turn in held["turns"]]
    first_ms = sorted(turn["first_audio_ms"] for turn in turns if turn["first_audio_ms"] is not None)
    asked = [question for held in runs for question in held["asked"]]
    exact = sum(_words(turn["heard"]) == _words(question) for turn, question in zip(turns, asked, strict=False))
    figures = {
        "questions": float(len(asked)),
        "answered": len(first_ms) / len(asked),
        "heard_exactly": exact / len(asked),
        "first_audio_ms": statistics.median(first_ms),
        "first_audio_p95_ms": first_ms[round(0.95 * (len(first_ms) - 1))],
        "wall_s": statistics.median(walls_s),
    }
    for stage in STAGES:
        figures[f"{stage}_ms"] = statistics.median(
            turn["stages_ms"][stage] for turn in turns if stage in turn["stages_ms"]
        )
    return figures


def _hold() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sottovoce", "demo", "--json", "--out", str(Path(folder) / "demo.wav")]
        command += ["--set", "session.store=false"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    held: dict[str, Any] = json.loads(done.stdout)
    return held


def _words(text: str) -> list[str]:
    return "".join(char if char.isalnum() or char == "'" else " " for char in text.casefold()).split()
