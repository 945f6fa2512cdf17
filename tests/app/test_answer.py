"""`sottovoce answer` as a user runs it: good recordings, bad ones, and what comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sottovoce.app.demo import speak_question
from sottovoce.core.types import Mono
from tests.support.shared import manifest, shared_data

EAR = 16_000

NOTES = """\
# What time is it?
- Half past nine
- The meeting starts at ten

# When do we launch?
- On the third of June
- First in Europe, then everywhere
"""


def answer(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sottovoce", "answer", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert not check or done.returncode == 0, done.stderr
    return done


def answers(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    document: dict[str, Any] = json.loads(done.stdout)
    return list(document["files"])


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "plan.md").write_text(NOTES, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def question() -> Mono:
    speech = speak_question("When do we launch?")
    return np.concatenate([np.zeros(EAR // 2, np.float32), speech, np.zeros(EAR, np.float32)])


def resampled(speech: Mono, samplerate: int) -> Mono:
    at = np.arange(round(len(speech) * samplerate / EAR)) * EAR / samplerate
    return np.interp(at, np.arange(len(speech)), speech).astype(np.float32)


def test_recording_is_transcribed_answered_and_spoken(tmp_path: Path, notes: Path, question: Mono) -> None:
    file = tmp_path / "meeting.wav"
    soundfile.write(file, question, EAR)
    out = tmp_path / "made" / "here"
    done = answer(file, "--notes", notes, "--out", out)
    assert "when do we launch" in done.stdout.casefold()
    assert "On the third of June" in done.stdout
    spoken, samplerate = soundfile.read(out / "meeting.theses.wav")
    assert 1.5 < len(spoken) / samplerate < 8.0
    assert np.abs(spoken).max() > 0.05


@pytest.mark.parametrize(
    ("name", "samplerate", "channels", "subtype"),
    [
        ("phone.wav", 8_000, 1, "PCM_16"),
        ("studio.wav", 96_000, 2, "PCM_24"),
        ("six.wav", 48_000, 6, "FLOAT"),
        ("lossless.flac", 44_100, 2, "PCM_16"),
        ("lossy.ogg", 48_000, 1, "VORBIS"),
        ("common.mp3", 44_100, 2, "MPEG_LAYER_III"),
    ],
)
def test_any_format_is_answered(
    tmp_path: Path, notes: Path, question: Mono, name: str, samplerate: int, channels: int, subtype: str
) -> None:
    file = tmp_path / name
    frames = np.repeat(resampled(question, samplerate)[:, None], channels, axis=1)
    soundfile.write(file, frames, samplerate, subtype=subtype)
    (result,) = answers(answer(file, "--notes", notes, "--out", tmp_path, "--json"))
    assert result["duration_s"] == pytest.approx(len(question) / EAR, abs=0.1)
    theses = [thesis for heard in result["utterances"] for thesis in (heard["answer"] or {}).get("theses", [])]
    assert [thesis["text"] for thesis in theses[:1]] == ["On the third of June"]
    assert {thesis["state"] for thesis in theses} == {"spoken"}
    assert theses[0]["source"] == "When do we launch? (plan.md)"


def test_several_questions_are_answered_in_order_and_none_is_lost(tmp_path: Path, notes: Path, question: Mono) -> None:
    file = tmp_path / "long.flac"
    soundfile.write(file, np.tile(question, 6), EAR)
    (result,) = answers(answer(file, "--notes", notes, "--out", tmp_path, "--json"))
    assert [heard["answer"]["outcome"] for heard in result["utterances"]] == ["spoken"] * 6
    starts = [heard["start_s"] for heard in result["utterances"]]
    assert starts == sorted(starts)


@pytest.mark.parametrize("kind", ["silence", "noise", "click"])
def test_recording_without_a_question_says_so(tmp_path: Path, notes: Path, kind: str) -> None:
    rng = np.random.default_rng(3)
    audio = {
        "silence": np.zeros(5 * EAR, np.float32),
        "noise": (0.2 * rng.standard_normal(5 * EAR)).astype(np.float32),
        "click": np.eye(1, 5 * EAR, 9000, dtype=np.float32)[0],
    }[kind]
    file = tmp_path / f"{kind}.wav"
    soundfile.write(file, audio, EAR)
    done = answer(file, "--notes", notes, "--out", tmp_path)
    assert "nobody says anything" in done.stdout
    assert not (tmp_path / f"{kind}.theses.wav").exists()


def test_truncated_wav_is_answered_with_a_warning(tmp_path: Path, notes: Path, question: Mono) -> None:
    file = tmp_path / "cut.wav"
    soundfile.write(file, np.concatenate([question, np.zeros(10 * EAR, np.float32)]), EAR)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) - 6 * EAR * 2 - 1])
    done = answer(file, "--notes", notes, "--out", tmp_path)
    assert "On the third of June" in done.stdout
    assert "ends before its header says" in done.stderr


def test_bad_files_are_named_and_the_good_one_is_answered(tmp_path: Path, notes: Path, question: Mono) -> None:
    good, empty, text = tmp_path / "good.wav", tmp_path / "empty.wav", tmp_path / "text.wav"
    soundfile.write(good, question, EAR)
    empty.touch()
    text.write_text("this is not audio\n" * 50, encoding="utf-8")
    missing = tmp_path / "missing.wav"
    done = answer(empty, text, missing, tmp_path, good, "--notes", notes, "--out", tmp_path, check=False)
    assert done.returncode == 4
    assert "On the third of June" in done.stdout
    for file in (empty, text, missing):
        assert str(file) in done.stderr
    assert done.stderr.count("error:") == 4
    assert done.stderr.count("hint:") == 4
    assert "Traceback" not in done.stderr


def test_files_of_one_name_do_not_overwrite_each_other(tmp_path: Path, notes: Path, question: Mono) -> None:
    files = [tmp_path / "a" / "talk.wav", tmp_path / "b" / "talk.wav"]
    for file in files:
        file.parent.mkdir()
        soundfile.write(file, question, EAR)
    answer(*files, "--notes", notes, "--out", tmp_path)
    assert {path.name for path in tmp_path.glob("*.theses.wav")} == {"talk.theses.wav", "talk-2.theses.wav"}


@pytest.mark.parametrize(
    ("content", "named"),
    [(None, "no notes"), ({}, "notes"), ({"notes.md": b""}, "notes")],
)
def test_missing_or_empty_notes_are_an_error_with_a_hint(
    tmp_path: Path, question: Mono, content: dict[str, bytes] | None, named: str
) -> None:
    file = tmp_path / "meeting.wav"
    soundfile.write(file, question, EAR)
    arguments: list[str | Path] = [file]
    if content is not None:
        folder = tmp_path / "notes"
        folder.mkdir()
        for name, data in content.items():
            (folder / name).write_bytes(data)
        arguments += ["--notes", folder]
    done = answer(*arguments, "--out", tmp_path, check=False)
    assert done.returncode == 5
    assert named in done.stderr
    assert "hint:" in done.stderr


@pytest.mark.data
@pytest.mark.parametrize("kind", ["questions", "cards"])
def test_real_recordings_find_the_right_note_first(tmp_path: Path, kind: str) -> None:
    rows = manifest(kind)
    notes = tmp_path / "notes.md"
    notes.write_text(
        "\n".join(f"# {row['transcript'].capitalize()}?\n- answer {number}\n" for number, row in enumerate(rows))
        + "\n# What is the weather like?\n- rain\n\n# How old are you?\n- eleven\n",
        encoding="utf-8",
    )
    files = [shared_data() / "speech" / row["file"] for row in rows]
    # the cards are spoken without a pause before and after: they count by pre-roll and hang-over
    results = answers(answer(*files, "--notes", notes, "--out", tmp_path, "--json"))
    found = {
        Path(result["file"]).stem: [
            thesis["text"] for heard in result["utterances"] for thesis in (heard["answer"] or {}).get("theses", [])
        ]
        for result in results
    }
    assert found == {Path(row["file"]).stem: [f"answer {number}"] for number, row in enumerate(rows)}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_does_not_grow_with_the_length_of_a_recording(tmp_path: Path, notes: Path, question: Mono) -> None:
    rng = np.random.default_rng(5)
    quiet = (0.001 * rng.standard_normal(60 * EAR)).astype(np.float32)
    asked = quiet.copy()
    asked[: len(question)] += question
    peaks_kb = {}
    for minutes in (3, 180):
        file = tmp_path / f"{minutes}.flac"
        with soundfile.SoundFile(file, "w", EAR, 1) as sound:
            for at in range(minutes):
                sound.write(asked if at % 20 == 0 else quiet)
        script = (
            "import resource, sys; from sottovoce.app.cli import run; code = run(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
        )
        command = [sys.executable, "-c", script, "answer", file, "--notes", notes, "--out", tmp_path, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks_kb[minutes] = int(done.stderr.split()[-1])
        (result,) = answers(done)
        assert len(result["utterances"]) == -(-minutes // 20)
    assert peaks_kb[180] - peaks_kb[3] < 20_000
