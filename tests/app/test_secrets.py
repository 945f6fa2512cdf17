"""A planted key, and everything that is written while it is used: it is nowhere."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sottovoce.app.demo import SAMPLE_NOTES
from sottovoce.app.exit_codes import ExitCode
from sottovoce.core import secrets
from sottovoce.core.secrets import HIDDEN, redacted
from sottovoce.session.store import SessionStore
from sottovoce.speech.remote import connection
from sottovoce.speech.remote.failures import Service
from tests.app.conftest import Result
from tests.emulator import Does, Emulator

pytest.importorskip("openai", reason='install the extra: pip install -e ".[openai]"')
pytest.importorskip("google.genai", reason='install the extra: pip install -e ".[google]"')

Cli = Callable[..., Result]

KEY = "planted-0123456789abcdef"  # of no provider's form, so that only not writing it helps
PATIENT = ("--set", "llm.first_token_s=60", "--set", "llm.stall_s=60", "--max-first-ms", "60000")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(otherwise=("On the third of June", "First in Europe")) as started:
        yield started


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every message that any library logs, the most talkative way they can be set."""
    messages: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(f"{record.name} {record.getMessage()} {record.args}")

    root, keeper = logging.getLogger(), Keeper()
    level, kept = root.level, {name: logging.getLogger(name).level for name in connection.TALKATIVE}
    monkeypatch.setenv("OPENAI_LOG", "debug")
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    for name in kept:
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield messages
    root.removeHandler(keeper)
    root.setLevel(level)
    for name, before in kept.items():
        logging.getLogger(name).setLevel(before)


def plant(where: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    """Put the key there; returns the options that name it."""
    keyring, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    keyring.get_password = lambda service, user: KEY if where == "keyring" else None  # type: ignore[attr-defined]
    keyring.__spec__ = sys.__spec__  # type: ignore[assignment]
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    if where == "environment":
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
    if where == "file":
        file = folder / "key"
        file.write_text(KEY, encoding="utf-8")
        file.chmod(0o600)
        return ("--set", f"openai.key_file={file}")
    return ()


@pytest.mark.parametrize("where", ["environment", "file", "keyring"])
def test_planted_key_is_sent_and_written_nowhere(
    cli: Cli,
    emulator: Emulator,
    recording: Path,
    everything: list[str],
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if where == "keyring":  # only the provider itself gets a key from there
        monkeypatch.setattr("sottovoce.speech.remote.server.Server.find_key", lambda server: server.key_place.require())
    written = tmp_path / "written"
    written.mkdir()
    shared = (
        *plant(where, monkeypatch, tmp_path),
        *("--set", "llm.backend=openai", "--set", f"openai.base_url={emulator.openai_url}"),
        *("--set", f"session.path={written / 'sessions.db'}", "-vv", "--log-file", written / "log", *PATIENT[:4]),
    )
    emulator.script("chat", Does(), Does(status=401), Does(garbage=b"data: {nonsense\n\n"))
    results = [
        cli("answer", recording, "--notes", SAMPLE_NOTES, "--out", written, *shared),
        cli("models", "bench", "--runs", 3, *shared, *PATIENT[4:]),
        *(cli(*command, *shared) for command in (COMMANDS if where == "file" else ())),
        cli("sessions", "export", 1, "--out", written / "session.json", *shared),
    ]
    assert {request.headers["authorization"] for request in emulator.made("chat")} == {f"Bearer {KEY}"}
    said = "".join(result.out + result.err for result in results) + "".join(everything)
    kept = b"".join(file.read_bytes() for file in written.rglob("*") if file.is_file())
    assert KEY not in said
    assert KEY.encode() not in kept
    assert "something private" not in said  # the words of the service's own error
    assert "HTTP Request" not in said
    prompt = "You help somebody who is talking"
    assert prompt not in said
    assert prompt.encode() not in kept
    with SessionStore(written / "sessions.db") as store:
        assert store.session(1).summary.cost.calls == 1  # it was kept, so it could have held the key
        assert sum(row.cost.calls for row in store.costs()) >= 2
    if os.name == "posix":
        modes = {file.name: file.stat().st_mode & 0o077 for file in written.iterdir() if file.suffix != ".wav"}
        assert set(modes.values()) == {0}, modes


COMMANDS = (
    ("config", "show"),
    ("config", "show", "--toml"),
    ("config", "show", "--json"),
    ("doctor",),
    ("costs",),
    ("costs", "--json"),
    ("sessions", "show", 1),
    ("sessions", "list", "--json"),
)


def test_crash_with_a_key_in_its_message_shows_where_and_not_what(
    cli: Cli, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    said = " ".join(["when", "do", "we", "launch"])  # frames quote their sources

    def crash(*arguments: object, **named: object) -> None:
        raise RuntimeError(f"headers were {{'authorization': 'Bearer {KEY}'}}, said: {said}")

    monkeypatch.setattr(Service, "refused", crash)
    emulator.script("model", Does(status=401))
    log = tmp_path / "log"
    settings = ("--set", f"openai.base_url={emulator.openai_url}", "--set", "session.store=false")
    result = cli("models", "bench", "openai:m", *settings, "-vv", "--log-file", log)
    assert result.code == ExitCode.INTERNAL
    shown = result.out + result.err + log.read_text(encoding="utf-8")
    assert "RuntimeError" in shown
    assert "in crash" in shown
    assert [secret for secret in (KEY, said) if secret in shown] == []


def test_requests_would_be_logged_by_the_libraries_if_they_were_let(
    cli: Cli, emulator: Emulator, everything: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_hush", lambda: None)
    settings = ("--set", f"openai.base_url={emulator.openai_url}", "--set", "session.store=false")
    assert cli("models", "bench", "openai:m", "--runs", 1, *settings, *PATIENT).code == 0
    assert "HTTP Request: POST" in "".join(everything)


@pytest.mark.parametrize(
    "setting",
    [
        "openai.key_file=sk-proj-0123456789abcdefghij",
        "openai.llm_model=AIzaSy0123456789abcdefghijklmnopqrstuvw",
        "openai.base_url=https://me:hunter22secret@host/v1",
        "gemini.base_url=https://host/v1?key=AIzaSy0123456789abcdefghijklmnopqrstuvw",
        "openai.key=sk-proj-0123456789abcdefghij",
        "llm.backend=sk-proj-0123456789abcdefghij",
    ],
)
def test_key_in_the_place_of_a_setting_is_refused_and_not_shown(cli: Cli, setting: str) -> None:
    result = cli("config", "show", "--set", setting)
    assert result.code == ExitCode.USAGE
    assert setting.partition("=")[0] in result.out + result.err
    for secret in ("0123456789abcdef", "hunter22secret"):
        assert secret not in result.out + result.err


def test_keys_are_taken_out_of_any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_known", set())
    assert redacted(f"a {KEY} b") == f"a {KEY} b"
    secrets.remember(KEY)
    assert redacted(f"a {KEY} b") == f"a {HIDDEN} b"
    assert redacted("Bearer abcdefghijklmnop, sk-abcdefghijklmnop") == f"Bearer {HIDDEN}, {HIDDEN}"
    assert redacted("https://me:secret@host/v1") == f"https://{HIDDEN}@host/v1"
    ordinary = "https://host:8000/v1?a=b risk-free sk-1, AIza, ask the bearer of news: key file ~/keys/openai"
    assert redacted(ordinary) == ordinary
