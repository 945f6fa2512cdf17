"""`sottovoce demo` as a user runs it, where there is no sound card."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sottovoce.app.demo import SAMPLE_NOTES, choose_questions
from sottovoce.audio.devices import find_device
from sottovoce.core.errors import DeviceError
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.notes.reader import read_notes


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sottovoce", "demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=folder)


def words(text: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in text.casefold()).split()


def test_demo_asks_hears_answers_and_writes_the_conversation(tmp_path: Path) -> None:
    done = demo(tmp_path, "--json", "--out", "talk.wav")
    assert done.returncode == 0, done.stderr
    held: dict[str, Any] = json.loads(done.stdout)
    assert len(held["turns"]) == len(held["asked"]) > 1
    sources = {question: note.source for note in read_notes(SAMPLE_NOTES).notes for question in note.questions}
    for asked, turn in zip(held["asked"], held["turns"], strict=True):
        assert words(turn["heard"]) == words(asked)
        assert turn["outcome"] == "spoken"
        assert {thesis["source"] for thesis in turn["theses"]} == {sources[asked]}
        assert turn["first_audio_ms"] > 0
    sound, samplerate = soundfile.read(tmp_path / "talk.wav")
    assert 5.0 < len(sound) / samplerate < 30.0
    assert np.abs(sound).max() > 0.1


def test_demo_without_an_output_writes_a_file_and_shows_a_summary(tmp_path: Path) -> None:
    try:
        find_device(None, "output")
    except DeviceError:
        pass
    else:
        pytest.skip("this machine has an output; it would be played there")
    done = demo(tmp_path, "--ask", "What is the retail price?")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sottovoce-demo.wav").exists()
    assert "total" in done.stdout
    assert "to the first sound" in done.stdout


def test_demo_without_portaudio_writes_a_file(tmp_path: Path) -> None:
    shim = tmp_path / "shim"
    shim.mkdir()
    (shim / "sounddevice.py").write_text('raise OSError("PortAudio library not found")\n', encoding="utf-8")
    (tmp_path / "mine.md").write_text("# Where is the key?\n- Under the stone\n", encoding="utf-8")
    command = [sys.executable, "-m", "sottovoce", "demo", "--notes", "mine.md"]
    environ = os.environ | {"PYTHONPATH": str(shim)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=tmp_path, env=environ)
    assert done.returncode == 0, done.stderr
    assert "PortAudio cannot be loaded" in done.stderr
    assert "Under the stone" in done.stdout
    assert (tmp_path / "sottovoce-demo.wav").exists()


def test_demo_with_notes_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_text("# Where is the key?\n- Under the stone\n", encoding="utf-8")
    done = demo(tmp_path, "--notes", "mine.md", "--json", "--out", "talk.wav")
    assert done.returncode == 0, done.stderr
    (turn,) = json.loads(done.stdout)["turns"]
    assert [thesis["text"] for thesis in turn["theses"]] == ["Under the stone"]


def test_demo_says_what_is_wrong_with_its_arguments(tmp_path: Path) -> None:
    missing = demo(tmp_path, "--notes", "nowhere")
    assert (missing.returncode, "hint:" in missing.stderr) == (5, True)
    folder = demo(tmp_path, "--out", str(tmp_path))
    assert folder.returncode == 2
    unwritable = demo(tmp_path, "--out", "no/such/folder/talk.wav")
    assert (unwritable.returncode, "hint:" in unwritable.stderr) == (4, True)


def test_questions_are_spread_over_the_notes() -> None:
    bank = [f"question {number}?" for number in range(12)]
    assert choose_questions(bank, 3) == ("question 0?", "question 4?", "question 8?")
    assert choose_questions(["a topic"], 3) == ("a topic",)
    assert choose_questions([], 3) == ()


def test_sample_notes_answer_each_of_their_questions_with_their_own_note() -> None:
    notes = read_notes(SAMPLE_NOTES).notes
    index = NotesIndex(notes)
    for note in notes:
        for question in note.questions:
            assert index.search(question, 1)[0].note.title == note.title
