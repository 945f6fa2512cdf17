"""`sottovoce eval`: manifests, good and bad, and what the report says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from sottovoce.app.evaluate import command as eval_command
from sottovoce.app.evaluate import example as example_module
from sottovoce.app.evaluate.manifest import Item, read_manifest
from sottovoce.app.evaluate.measure import ALL, Heard, Voices, summarise
from sottovoce.app.evaluate.plots import curves
from sottovoce.app.evaluate.voices import Spoken
from sottovoce.core.errors import ConfigError
from sottovoce.speech.embedding.base import Embedding, Scoring
from sottovoce.speech.embedding.builtin import BuiltinEmbedder
from tests.app.conftest import Result
from tests.support.voices import SAMPLERATE, STRANGER, WEARER, say

Cli = Callable[..., Result]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, with a single voice."""
    folder = tmp_path_factory.mktemp("eval") / "example"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(example_module, "VOICES", ("en-us",))
        patch.setattr(example_module, "ASKED", example_module.ASKED[1:])
        example_module.write_example(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one recording of a second of silence."""
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros(16_000, np.float32), 16_000)
    return tmp_path


def write(folder: Path, text: str, name: str = "manifest.csv") -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_example_is_measured_and_heard_well(cli: Cli, example: Path, tmp_path: Path) -> None:
    result = cli("eval", example, "--json", "--out", tmp_path / "report")
    assert result.code == 0, result.err
    report = result.json
    assert report["whole"]
    assert [row["condition"] for row in report["conditions"]] == [ALL, "quiet", "5 dB"]
    every, quiet, _ = report["conditions"]
    assert every["recordings"] == 5
    assert quiet["word_error_rate"]["value"] < 0.5
    assert quiet["hit_at_1"]["value"] == 1.0
    assert quiet["hit_at_1"]["trials"] == 1
    assert 0.2 < quiet["hit_at_1"]["low"] < quiet["hit_at_1"]["value"] == pytest.approx(quiet["hit_at_1"]["high"])
    assert quiet["vad_accuracy"]["value"] > 0.9
    assert quiet["false_text"] == {"value": 0.0, "low": 0.0, "high": pytest.approx(0.79, abs=0.01), "trials": 1}
    assert every["false_note"]["trials"] == 2
    assert {one["file"] for one in report["recordings"]} >= {"nobody.wav", "1-en-us-quiet.wav"}
    assert json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8")) == report
    drawing = ElementTree.fromstring((tmp_path / "report" / "figures.svg").read_text(encoding="utf-8"))
    assert "5 dB" in "".join(drawing.itertext())


def test_example_is_not_written_over_anything(cli: Cli, tmp_path: Path) -> None:
    result = cli("eval", tmp_path, "--example")
    assert result.code == 2
    assert "there is something at" in result.err


def test_manifest_in_json_says_the_same(folder: Path) -> None:
    write(
        folder,
        "file,transcript,speech,speaker,enrol,notes,condition\n"
        "a.wav,hello there,0.1-0.5 0.7-0.9,anna,yes,One|Two,quiet\n",
    )
    (as_csv,) = read_manifest(folder)
    (folder / "manifest.csv").unlink()
    row = {
        "file": "a.wav",
        "transcript": "hello there",
        "speech": [[0.1, 0.5], [0.7, 0.9]],
        "speaker": "anna",
        "enrol": True,
        "notes": ["One", "Two"],
        "condition": "quiet",
    }
    write(folder, f"\n{json.dumps(row)}\n", "manifest.jsonl")
    assert read_manifest(folder) == [as_csv]
    assert as_csv.speech == ((0.1, 0.5), (0.7, 0.9))


def test_what_is_empty_is_not_known_and_none_is(folder: Path) -> None:
    write(folder, "file,speech,notes\na.wav,,\n")
    (item,) = read_manifest(folder)
    assert (item.transcript, item.speech, item.notes) == (None, None, None)
    write(folder, "file,speech,notes\na.wav,none,none\n")
    (item,) = read_manifest(folder)
    assert (item.speech, item.notes) == ((), ())


def test_turns_of_all_speakers_are_read_from_a_file_of_them(folder: Path) -> None:
    write(folder, "SPEAKER x 1 0.5 0.25 <NA> <NA> a <NA> <NA>\nSPEAKER x 1 0.6 0.3 <NA> <NA> b <NA> <NA>\n", "a.rttm")
    write(folder, "file,speech\na.wav,a.rttm\n")
    (item,) = read_manifest(folder)
    assert item.speech == ((0.5, 0.75), (0.6, pytest.approx(0.9)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\na.wav\n", "unknown column 'name'; there are: file, transcript"),
        ("transcript\nhello\n", "there is no column file"),
        ("file\nb.wav\n", "row 2, column file: 'b.wav' - there is no such file"),
        ("file\na.wav\na.wav\n", "row 3, column file: 'a.wav' - named twice"),
        ("file,speech\na.wav,0.5-0.1\n", "row 2, column speech: '0.5-0.1' - seconds from and to"),
        ("file,speech\na.wav,early\n", "row 2, column speech: 'early'"),
        ("file,speech\na.wav,b.rttm\n", "row 2, column speech: 'b.rttm' - it cannot be read"),
        ("file,enrol\na.wav,perhaps\n", "row 2, column enrol: 'perhaps' - yes or no"),
        ("file,enrol\na.wav,yes\n", "row 2, column enrol: 'yes' - it needs a speaker"),
        ("file,transcript\na.wav,hello, there\n", "row 2: more fields than columns"),
        ("file\n", "it names no recording"),
        ("", "there is no column file"),
    ],
)
def test_bad_row_is_named_with_its_column(cli: Cli, folder: Path, text: str, said: str) -> None:
    write(folder, text)
    result = cli("eval", folder)
    assert result.code == 2
    assert said in result.err
    assert "hint: " in result.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "row 1: no JSON"),
        ("[]", "row 1: an object is wanted"),
        ('{"file": "a.wav", "loud": 1}', "unknown column 'loud'"),
        ('{"file": ["a.wav"]}', "row 1, column file: \"['a.wav']\" - text is wanted"),
        ('{"file": "a.wav", "speech": [[1]]}', "column speech"),
    ],
)
def test_bad_line_of_json_is_named(folder: Path, line: str, said: str) -> None:
    write(folder, line + "\n", "manifest.jsonl")
    with pytest.raises(ConfigError) as caught:
        read_manifest(folder)
    assert said in caught.value.message


def test_all_bad_rows_are_named_at_once(folder: Path) -> None:
    write(folder, "file\n" + "".join(f"missing{number}.wav\n" for number in range(30)))
    with pytest.raises(ConfigError) as caught:
        read_manifest(folder)
    assert caught.value.message.count("there is no such file") == 20
    assert "and 10 more" in caught.value.message


def test_folder_without_a_manifest_is_told_what_is_wanted(cli: Cli, tmp_path: Path) -> None:
    assert "there is neither manifest.jsonl nor manifest.csv" in cli("eval", tmp_path).err
    assert "there is no folder" in cli("eval", tmp_path / "nowhere").err


def test_note_that_is_not_there_is_named_with_the_nearest(cli: Cli, folder: Path) -> None:
    write(folder, "file,notes\na.wav,What does it cots?\n")
    assert "asks for notes, and there are none" in cli("eval", folder).err
    (folder / "notes").mkdir()
    (folder / "notes" / "a.md").write_text("# What does it cost?\n- Forty euros\n", encoding="utf-8")
    result = cli("eval", folder)
    assert result.code == 2
    assert "no note is called 'What does it cots?'; did you mean 'what does it cost?'?" in result.err


def test_recording_that_cannot_be_read_does_not_stop_the_others(cli: Cli, folder: Path) -> None:
    (folder / "b.wav").write_bytes(b"RIFF but no audio")
    write(folder, "file,speech\nb.wav,none\na.wav,none\n")
    result = cli("eval", folder, "--json", "--set", "vad.backend=webrtc")
    assert result.code == 4
    assert "b.wav is not audio" in result.err
    assert [one["file"] for one in result.json["recordings"]] == ["a.wav"]
    assert result.json["conditions"][0]["vad_accuracy"]["value"] == 1.0


def test_interruption_leaves_a_report_of_what_was_done(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    shutil.copy(folder / "a.wav", folder / "b.wav")
    write(folder, "file,speech\na.wav,none\nb.wav,none\n")
    read, files = eval_command._read, []

    def interrupted(config: object, path: Path) -> object:
        files.append(path)
        if len(files) > 1:
            raise KeyboardInterrupt
        return read(config, path)  # type: ignore[arg-type]

    monkeypatch.setattr(eval_command, "_read", interrupted)
    result = cli("eval", folder, "--json")
    assert result.code == 130
    assert "interrupted: 1 of 2 recordings are in the report" in result.err
    assert result.json["whole"] is False
    assert len(result.json["recordings"]) == 1


@pytest.fixture
def voices(folder: Path) -> list[Heard]:
    """Three recordings of each of two speakers, the first of each for enrolment."""
    lines = [f"{who}{number}.wav,{who},{'yes' if number == 0 else ''}" for who in "ab" for number in range(3)]
    for line in lines:
        (folder / line.split(",")[0]).write_bytes((folder / "a.wav").read_bytes())
    write(folder, "file,speaker,enrol\n" + "\n".join(lines) + "\n")
    return [Heard(item, 1.0, 0.1, "", None, None, None, None, spoken(item)) for item in read_manifest(folder)]


def spoken(item: Item, **alike: bool) -> Spoken:
    """A voice that points in the direction of its speaker."""
    vector = np.array([1.0, 0.0] if item.speaker == "a" or alike else [0.0, 1.0], np.float32)
    return Spoken(item.speaker, item.name, item.enrol, Embedding(vector, 3.0), vector[None])


class Compass(BuiltinEmbedder):
    """Compares directions."""

    scoring = Scoring((-5.0, 10.0, 0.0, 0.0))


VOICES = Voices(Compass(), 0.9)
NOTHING = np.zeros((0, 0), np.float32)


def test_enrolled_speakers_are_tried_against_every_other_recording(voices: list[Heard]) -> None:
    (summary,) = summarise(voices, VOICES)
    assert summary.figures["equal_error_rate"].value == 0.0
    assert summary.figures["equal_error_rate"].trials == 8
    assert summary.figures["own_called_other"].trials == 4
    assert summary.figures["other_called_own"].value == 0.0
    assert summary.voices is not None
    assert summary.voices.advice is None
    assert "EER 0.0 %" in curves([summary])
    (unmeasured,) = summarise(voices, None)
    assert unmeasured.voices is None


def test_voices_of_which_none_is_enrolled_are_compared_in_pairs(voices: list[Heard]) -> None:
    unknown = [replace(one, item=replace(one.item, enrol=False), voice=spoken(replace(one.item, enrol=False)))
               for one in voices]  # fmt: skip
    (summary,) = summarise(unknown, VOICES)
    assert summary.figures["equal_error_rate"].trials == 15


def test_voices_that_nothing_can_be_compared_with_are_left_out(voices: list[Heard]) -> None:
    (summary,) = summarise([one for one in voices if one.item.speaker == "a"], VOICES)
    assert summary.voices is None
    silent = [replace(one, voice=Spoken(one.item.speaker, one.item.name, False, None, NOTHING)) for one in voices]
    (summary,) = summarise(silent, VOICES)
    assert summary.voices is None


def test_voices_that_cannot_be_told_apart_have_an_error_of_one_half(voices: list[Heard]) -> None:
    alike = [replace(one, voice=spoken(one.item, alike=True)) for one in voices]
    (summary,) = summarise(alike, VOICES)
    assert summary.figures["equal_error_rate"].value == 0.5
    assert summary.figures["other_called_own"].value == 1.0


def test_voices_of_a_folder_are_compared_by_condition(cli: Cli, tmp_path: Path) -> None:
    import soundfile

    rows = ["file,speaker,enrol,condition"]
    for name, voice in (("anna", WEARER), ("bert", STRANGER)):
        soundfile.write(tmp_path / f"{name}.wav", say(voice, 0, 3), SAMPLERATE)
        rows.append(f"{name}.wav,{name},yes,")
        for sentence in (4, 6):
            for condition, gain in (("near", 1.0), ("far", 0.1)):
                file = f"{name}{sentence}{condition}.wav"
                soundfile.write(tmp_path / file, gain * say(voice, sentence, sentence + 2), SAMPLERATE)
                rows.append(f"{file},{name},,{condition}")
    write(tmp_path, "\n".join(rows) + "\n")
    result = cli("eval", tmp_path, "--json", "--out", tmp_path / "report")
    assert result.code == 0, result.err
    every, near, far = result.json["conditions"]
    assert result.json["parts"]["speaker"] == "builtin"
    assert (every["equal_error_rate"]["value"], every["equal_error_rate"]["trials"]) == (0.0, 16)
    assert (near["equal_error_rate"]["trials"], far["equal_error_rate"]["trials"]) == (8, 8)
    assert {*every["curve"][0]} == {"threshold", "false_accept", "false_reject"}
    ElementTree.fromstring((tmp_path / "report" / "voices.svg").read_text(encoding="utf-8"))
    shown = cli("eval", tmp_path).out
    assert "EER" in shown
    assert "speaker.certainty: no advice" in shown
