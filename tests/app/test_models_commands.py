"""`sottovoce models`, offline mode, and what a session does about a model that is not here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sottovoce.app.exit_codes import ExitCode
from sottovoce.speech.tts import silero
from tests.app.conftest import Result
from tests.support.hub import Fails, FileServer

pytest.importorskip("huggingface_hub", reason='install the extra: pip install -e ".[whisper]"')

Cli = Callable[..., Result]

TINY = "Systran/faster-whisper-tiny"
LARGE = bytes(range(256)) * 4000
FILES = {"model.bin": LARGE, "config.json": b"{}", "tokenizer.json": b"{}", "vocabulary.txt": b"a\n"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with FileServer(files={"ru/v4_ru.pt": LARGE}, repositories={TINY: dict(FILES)}) as started:
        monkeypatch.setenv("HF_ENDPOINT", started.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(silero, "SERVER", f"{started.url}/files")
        monkeypatch.setitem(silero.MODELS, "v4_ru", ("ru", None, None))
        yield started


def states(cli: Cli) -> dict[str, str]:
    return {model["name"]: model["state"] for model in cli("models", "list", "--json").json}


def test_nothing_is_here_at_first(cli: Cli, server: FileServer) -> None:
    assert set(states(cli).values()) == {"absent"}
    assert "no models are here" in cli("models", "list").out
    everything = cli("models", "list", "--all").out
    for name in ("whisper/tiny", "whisper/small", "whisper/large-v3-turbo", "silero/v5_5_ru", "silero/v3_en"):
        assert name in everything
    assert "not here (145 MB)" in everything
    assert server.ranges == []


def test_models_come_and_go(cli: Cli, server: FileServer, tmp_path: Path) -> None:
    got = cli("models", "get", "whisper/tiny", "silero/v4_ru")
    assert got.code == 0, got.err
    assert [line.partition(":")[0] for line in got.out.splitlines()] == ["whisper/tiny", "silero/v4_ru"]
    assert (states(cli)["whisper/tiny"], states(cli)["silero/v4_ru"]) == ("whole", "whole")
    listed = cli("models", "list").out
    assert str(tmp_path / "hub") in listed
    assert "1 MB" in listed
    assert cli("models", "remove", "whisper/tiny").code == ExitCode.USAGE  # there is nobody to ask
    removed = cli("models", "remove", "whisper/tiny", "silero/v4_ru", "--yes")
    assert removed.out.splitlines() == [
        "removed whisper/tiny: 1 MB are free",
        "removed silero/v4_ru: 1 MB are free",
    ]
    assert set(states(cli).values()) == {"absent"}
    assert cli("models", "remove", "whisper/tiny").out == "whisper/tiny is not here\n"


def test_without_a_name_what_the_settings_want_is_fetched(cli: Cli, server: FileServer) -> None:
    assert "the settings want no model" in cli("models", "get").out
    wanted = ("--set", "asr.backend=whisper, pocketsphinx", "--set", "whisper.model=tiny")
    assert cli(*wanted, "models", "get").code == 0
    assert "whisper/tiny *" in cli(*wanted, "models", "list").out


def test_repository_of_ones_own_can_be_named(cli: Cli, server: FileServer) -> None:
    server.repositories["me/mine"] = dict(FILES)
    wanted = ("--set", "asr.backend=whisper", "--set", "whisper.model=me/mine")
    assert cli(*wanted, "models", "get").out.startswith("whisper/me/mine: 1 MB in")
    assert "whisper/me/mine *" in cli(*wanted, "models", "list").out


def test_unknown_model_is_refused_with_what_there_is(cli: Cli) -> None:
    result = cli("models", "get", "whisper/huge")
    assert result.code == ExitCode.USAGE
    assert "whisper/large-v3" in result.err


@pytest.mark.parametrize("how", ["--offline", "setting", "SOTTOVOCE_MODELS_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_fetched(cli: Cli, server: FileServer, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    options = {"--offline": ["--offline"], "setting": ["--set", "models.offline=true"]}.get(how, [])
    if not options:
        monkeypatch.setenv(how, "1")
    result = cli("models", "get", "whisper/tiny", *options)
    assert result.code == ExitCode.BACKEND
    assert "offline mode is on" in result.err
    assert "sottovoce models get whisper/tiny" in result.err
    assert server.ranges == []


def test_variable_of_the_hub_that_says_no_is_no_offline_mode(
    cli: Cli, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for no in ("0", ""):
        monkeypatch.setenv("HF_HUB_OFFLINE", no)
        assert cli("models", "get", "whisper/tiny").code == 0


def test_session_without_its_model_says_so_before_it_listens(cli: Cli, server: FileServer, tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("# When?\n- Today\n", encoding="utf-8")
    settings = ("--set", "asr.backend=whisper", "--set", "whisper.model=tiny", "--notes", notes)
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(16_000, np.float32), 16_000)
    result = cli("answer", silence, "--offline", *settings)
    assert result.code == ExitCode.BACKEND
    assert "whisper/tiny is not on this machine" in result.err
    assert "sottovoce models get whisper/tiny" in result.err
    assert "listening" not in result.out


def test_doctor_names_the_models_and_the_command_for_one_that_is_missing(cli: Cli, server: FileServer) -> None:
    cli("models", "get", "whisper/tiny")
    settings = ("--set", "asr.backend=whisper", "--set", "whisper.model=base", "--offline")
    result = cli(*settings, "doctor", "--json")
    found = {check["name"]: check for check in result.json["checks"]}
    assert found["models"]["detail"] == "whisper/tiny (1 MB); offline: nothing is fetched"
    assert (found["recogniser"]["state"], found["recogniser"]["mend"]) == (
        "missing",
        "sottovoce models get whisper/base",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as a terminal does")
def test_ctrl_c_leaves_a_part_that_the_next_fetch_goes_on_with(cli: Cli, server: FileServer, home: Path) -> None:
    server.script.append(Fails(stall_after=500_000))
    command = [sys.executable, "-c", "import sys; from sottovoce.app.cli import run; sys.exit(run())"]
    process = subprocess.Popen(
        [*command, "models", "get", "whisper/tiny"], env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert server.sent.wait(60.0)
    folder = Path(os.environ["HF_HUB_CACHE"])
    while not any(part.stat().st_size for part in folder.rglob("*.part")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.strip().splitlines()[-1] == b"error: interrupted"
    assert states(cli)["whisper/tiny"] == "partial"
    assert cli("models", "get", "whisper/tiny").code == 0
    assert any(wanted for wanted in server.ranges)


def test_session_hears_by_whisper_on_this_machine(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason='install the extra: pip install -e ".[whisper]"')
    from sottovoce.app.demo import speak_question
    from tests.support.whisper_model import make_model

    notes = tmp_path / "notes.md"
    notes.write_text("# How much does it cost?\n- Nine hundred a year\n", encoding="utf-8")
    spoken, quiet = speak_question("How much does it cost?"), np.zeros(16_000, np.float32)
    soundfile.write(tmp_path / "asked.wav", np.concatenate([quiet, spoken, quiet]), 16_000)
    model = make_model(tmp_path / "model", "How much does it cost?")
    settings = ("--set", "asr.backend=whisper", "--set", f"whisper.model={model}", "--set", "whisper.deadline_s=60")
    result = cli("answer", tmp_path / "asked.wav", "--offline", "--notes", notes, *settings)
    assert result.code == 0, result.err
    assert "How much does it cost?" in result.out
    assert "Nine hundred a year" in result.out
