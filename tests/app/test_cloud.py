"""Services by configuration alone: what `doctor` says of them, what `answer` does with them, and where keys are not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sottovoce.app.exit_codes import ExitCode
from sottovoce.session.store import SessionStore
from tests.app.conftest import Result
from tests.emulator import Does, Emulator
from tests.support.shared import manifest, shared_data

pytest.importorskip("openai", reason='install the extra: pip install -e ".[openai]"')

Cli = Callable[..., Result]

KEY = "sk-planted-0123456789abcdef"
EAR = 16_000

#: A busy machine is no failure of a service.
PATIENT = {
    "SOTTOVOCE_ASR_FIRST_WORD_S": "60",
    "SOTTOVOCE_LLM_FIRST_TOKEN_S": "60",
    "SOTTOVOCE_LLM_STALL_S": "60",
    "SOTTOVOCE_TTS_FIRST_SOUND_S": "60",
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        started.knows["when do we launch"] = ("[1] On the third of June", "Champagne afterwards")
        yield started


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "plan.md").write_text("# When do we launch?\n- On the third of June\n", encoding="utf-8")
    return folder


def sottovoce(*arguments: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sottovoce", *map(str, arguments)]
    return subprocess.run(
        command, env={**os.environ, **PATIENT, **env}, capture_output=True, text=True, timeout=100, check=False
    )


def generator_check(cli: Cli, *arguments: object) -> tuple[int, dict[str, str]]:
    result = cli(*arguments, "doctor", "--json")
    return result.code, next(check for check in result.json["checks"] if check["name"] == "generator")


def test_doctor_tells_of_key_and_server_and_calls_nobody(
    cli: Cli, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    settings = ("--set", "llm.backend=openai", "--set", f"openai.base_url={emulator.openai_url}")
    code, check = generator_check(cli, *settings)
    assert (code, check["state"]) == (0, "ok")
    assert "gpt-4o-mini at 127.0.0.1" in check["detail"]
    assert "key from the variable OPENAI_API_KEY" in check["detail"]
    assert "the text of each question" in check["detail"]
    assert emulator.requests == []


def test_doctor_misses_a_key(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    code, check = generator_check(cli, "--set", "llm.backend=openai")
    assert (code, check["state"]) == (ExitCode.BACKEND, "missing")
    assert "OPENAI_API_KEY" in check["mend"]


def test_recording_is_answered_by_a_service_with_the_notes_it_was_given(
    tmp_path: Path, emulator: Emulator, recording: Path, notes: Path
) -> None:
    env = {"SOTTOVOCE_LLM_BACKEND": "openai", "SOTTOVOCE_OPENAI_BASE_URL": emulator.openai_url}
    done = sottovoce("answer", recording, "--notes", notes, "--out", tmp_path / "out", env=env)
    assert done.returncode == 0, done.stderr
    assert "On the third of June" in done.stdout
    assert "Champagne afterwards" in done.stdout
    assert (tmp_path / "out" / "meeting.theses.wav").stat().st_size > EAR
    assert "- On the third of June" in emulator.wait_for("chat").json["messages"][1]["content"]


def test_a_service_needs_no_notes(tmp_path: Path, emulator: Emulator, recording: Path) -> None:
    emulator.knows["what time is it"] = ("Champagne afterwards",)
    env = {
        "SOTTOVOCE_ASR_BACKEND": "openai",  # the embedded one, with no notes to expect, may refuse what it hears
        "SOTTOVOCE_LLM_BACKEND": "openai",
        "OPENAI_BASE_URL": emulator.openai_url,
    }
    done = sottovoce("answer", recording, "--out", tmp_path / "out", env=env)
    assert done.returncode == 0, done.stderr
    assert "Champagne afterwards" in done.stdout


def test_planted_key_is_written_nowhere_by_a_process_of_its_own(
    tmp_path: Path, emulator: Emulator, recording: Path, notes: Path
) -> None:
    written = tmp_path / "written"
    written.mkdir()
    key_file = tmp_path / "key"
    key_file.write_text(KEY, encoding="utf-8")
    key_file.chmod(0o600)
    env = {
        "SOTTOVOCE_LLM_BACKEND": "openai",
        "SOTTOVOCE_OPENAI_BASE_URL": emulator.openai_url,
        "SOTTOVOCE_OPENAI_KEY_FILE": str(key_file),
        "SOTTOVOCE_SESSION_PATH": str(written / "sessions.db"),
    }
    commands: list[tuple[object, ...]] = [("answer", recording, "--notes", notes, "--out", written)]
    commands += [("sessions", "show", "1")]
    runs = [sottovoce(*command, "-vv", "--log-file", written / "log", env=env) for command in commands]
    said = "".join(run.stdout + run.stderr for run in runs)
    kept = b"".join(file.read_bytes() for file in written.rglob("*") if file.is_file())
    assert emulator.wait_for("chat").headers["authorization"] == f"Bearer {KEY}"  # it was sent, so it could have leaked
    assert KEY.encode() not in kept + said.encode()
    with SessionStore(written / "sessions.db") as store:
        assert store.session(1).summary.utterances == 1  # the session was kept, so it could have held the key


def test_second_service_answers_when_the_first_fails_and_the_session_remembers(
    tmp_path: Path, emulator: Emulator, recording: Path, notes: Path
) -> None:
    pytest.importorskip("google.genai", reason='install the extra: pip install -e ".[google]"')
    env = {
        "SOTTOVOCE_LLM_BACKEND": "gemini, openai",
        "SOTTOVOCE_OPENAI_BASE_URL": emulator.openai_url,
        "SOTTOVOCE_GEMINI_BASE_URL": emulator.url,
        "SOTTOVOCE_SESSION_PATH": str(tmp_path / "sessions.db"),
    }
    emulator.script("gemini", Does(status=503))
    done = sottovoce("answer", recording, "--notes", notes, "--out", tmp_path / "out", env=env)
    assert done.returncode == 0, done.stderr
    assert "openai answers from now on" in done.stdout
    assert "Champagne afterwards" in done.stdout
    with SessionStore(tmp_path / "sessions.db") as store:
        events = {event.kind: event.detail for event in store.session(1).events}
    assert events["backend-failed"]["backend"] == "gemini"
    assert events["backend-changed"] == {"part": "llm", "backend": "openai"}


def test_doctor_looks_at_every_backend_of_a_chain(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    code, check = generator_check(cli, "--set", "llm.backend=openai, notes")
    assert (code, check["state"]) == (0, "warning")
    assert "no key for openai; there is notes" in check["detail"]
    assert "OPENAI_API_KEY" in check["mend"]


@pytest.mark.parametrize("names", ["notes, notes", "notes,", "notes, nobody", ""])
def test_chain_of_what_is_no_backend_is_refused(cli: Cli, names: str) -> None:
    result = cli("--set", f"llm.backend={names}", "config", "show")
    assert result.code == ExitCode.USAGE
    assert "several with commas" in result.err


def test_everything_is_done_by_services_by_configuration_alone(
    tmp_path: Path, emulator: Emulator, recording: Path
) -> None:
    pytest.importorskip("google.genai", reason='install the extra: pip install -e ".[google]"')
    emulator.knows["what time is it"] = ("Half past nine",)
    env = {
        "SOTTOVOCE_ASR_BACKEND": "openai",
        "SOTTOVOCE_LLM_BACKEND": "gemini",
        "USE_TTS_ENGINE": "openai",
        "SOTTOVOCE_OPENAI_BASE_URL": emulator.openai_url,
        "SOTTOVOCE_GEMINI_BASE_URL": emulator.url,
    }
    done = sottovoce("answer", recording, "--out", tmp_path / "out", env=env)
    assert done.returncode == 0, done.stderr
    assert "what time is it" in done.stdout  # as the emulator hears everything
    spoken, samplerate = soundfile.read(tmp_path / "out" / "meeting.theses.wav")
    assert samplerate == 24_000
    assert np.abs(spoken).max() > 0.2
    assert emulator.wait_for("speech").json["input"] == "Half past nine"


@pytest.mark.data
@pytest.mark.parametrize("model", ["gpt-4o-transcribe", "gpt-live-transcribe"])
def test_real_recordings_are_answered_by_three_services(
    tmp_path: Path, emulator: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    pytest.importorskip("google.genai", reason='install the extra: pip install -e ".[google]"')
    pytest.importorskip("google.cloud.texttospeech", reason='install the extra: pip install -e ".[google]"')
    row = manifest("questions")[0]
    file = shared_data() / "speech" / row["file"]
    asked, _ = soundfile.read(file, dtype="float32")
    heard_s: list[float] = []

    def hear(samples: np.ndarray, samplerate: int) -> str:
        heard_s.append(len(samples) / samplerate)
        return row["transcript"]

    emulator.hear = hear
    emulator.knows[row["transcript"].casefold()] = ("Half past nine", "The meeting is at ten")
    env = {
        "SOTTOVOCE_ASR_BACKEND": "openai",
        "SOTTOVOCE_OPENAI_ASR_MODEL": model,
        "SOTTOVOCE_LLM_BACKEND": "gemini",
        "USE_TTS_ENGINE": "google",
        "SOTTOVOCE_OPENAI_BASE_URL": emulator.openai_url,
        "SOTTOVOCE_GEMINI_BASE_URL": emulator.url,
        "SOTTOVOCE_GOOGLE_BASE_URL": emulator.google_url,
        "SOTTOVOCE_TTS_VOICE": "en-US-Chirp3-HD-Kore" if model == "gpt-live-transcribe" else "en-US-Wavenet-D",
    }
    for name, value in (PATIENT | env).items():
        monkeypatch.setenv(name, value)
    done = cli("answer", file, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "Half past nine" in done.out
    assert "The meeting is at ten" in done.out
    spoken, samplerate = soundfile.read(tmp_path / "out" / f"{file.stem}.theses.wav")
    assert samplerate == 24_000
    assert np.abs(spoken).max() > 0.2
    assert 0.5 < max(heard_s) <= len(asked) / EAR + 1.0  # its sound, not what else could be sent
    routes = {request.route for request in emulator.requests}
    assert ("segment" if model == "gpt-live-transcribe" else "transcription") in routes
    assert "gemini" in routes
    assert ("google-stream" if model == "gpt-live-transcribe" else "google") in routes


def test_offline_parts_stand_in_for_services_that_cannot_be_reached(
    tmp_path: Path, recording: Path, notes: Path
) -> None:
    env = {
        "SOTTOVOCE_ASR_BACKEND": "openai, pocketsphinx",
        "SOTTOVOCE_LLM_BACKEND": "openai, notes",
        "SOTTOVOCE_TTS_BACKEND": "openai, espeak",
        "SOTTOVOCE_OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    }
    done = sottovoce("answer", recording, "--notes", notes, "--out", tmp_path / "out", env=env)
    assert done.returncode == 0, done.stderr
    assert "On the third of June" in done.stdout
    spoken, samplerate = soundfile.read(tmp_path / "out" / "meeting.theses.wav")
    assert samplerate == 24_000
    assert np.abs(spoken).max() > 0.05


def test_budget_that_is_spent_leaves_the_offline_backends(
    cli: Cli, home: Path, tmp_path: Path, emulator: Emulator, recording: Path, notes: Path
) -> None:
    folder = home / "config" / "sottovoce"
    folder.mkdir(parents=True)
    line = '{ provider = "127.0.0.1", model = "*", input = 1000, output = 1000 }'
    (folder / "prices.toml").write_text(f"prices = [{line}]", encoding="utf-8")
    patient = [f"--set=llm.{name}=60" for name in ("first_token_s", "stall_s")]
    service = ["--set=llm.backend=openai, notes", f"--set=openai.base_url={emulator.openai_url}"]
    kept = [f"--set=session.path={tmp_path / 'sessions.db'}", "--set=budget.day_stop_usd=0.01"]
    result = cli("answer", recording, recording, "--notes", notes, "--out", tmp_path / "out", *patient, *service, *kept)
    assert result.code == 0, result.err
    assert "the budget of this day, $0.01, is spent: no service is called any more" in result.out
    first, _, second = result.out.rpartition(f"{recording}")
    assert "Champagne afterwards" in first
    assert "notes answers from now on" in second
    assert "On the third of June" in second
    assert "Champagne afterwards" not in second
    assert len(emulator.made("chat")) == 1
    with SessionStore(tmp_path / "sessions.db") as store:
        assert [session.cost.calls for session in store.sessions()] == [0, 1]


def test_budget_of_a_session_is_new_with_the_next_recording(
    cli: Cli, home: Path, tmp_path: Path, emulator: Emulator, recording: Path, notes: Path
) -> None:
    folder = home / "config" / "sottovoce"
    folder.mkdir(parents=True)
    line = '{ provider = "127.0.0.1", model = "*", input = 1000, output = 1000 }'
    (folder / "prices.toml").write_text(f"prices = [{line}]", encoding="utf-8")
    settings = ["--set=llm.backend=openai, notes", f"--set=openai.base_url={emulator.openai_url}"]
    settings += ["--set=budget.session_stop_usd=0.01", "--set=session.store=false", "--set=llm.first_token_s=60"]
    result = cli("answer", recording, recording, "--notes", notes, "--out", tmp_path / "out", *settings)
    assert result.code == 0, result.err
    assert result.out.count("the budget of this session, $0.01, is spent") == 2
    assert len(emulator.made("chat")) == 2
