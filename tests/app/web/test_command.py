"""`--web` on the command line: what is refused before anything is loaded, and a demo that is watched."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.web import page as page_module
from tests.app.conftest import Result
from tests.support.web import EventReader, spoken_page

Cli = Callable[..., Result]


@pytest.mark.parametrize("command", ["live", "demo"])
def test_missing_extra_is_told_with_the_command_that_installs_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "uvicorn" else real(name, *more)
    )
    result = cli(command, "--web")
    assert result.code == ExitCode.MISSING
    assert "uvicorn, not installed here" in result.err
    assert 'pip install "sottovoce[web]"' in result.err


def test_port_in_use_ends_it_before_anything_is_loaded(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = cli("live", "--web", "--web-port", port)
    assert result.code == ExitCode.USAGE
    assert f"port {port}" in result.err
    assert "--web-port 0" in result.err


def test_other_machines_are_refused_without_tls(cli: Cli, tmp_path: Path) -> None:
    result = cli("live", "--web", "--web-host", "0.0.0.0")
    assert result.code == ExitCode.USAGE
    assert "without TLS" in result.err
    result = cli("live", "--web", "--web-host", "0.0.0.0", "--web-cert", tmp_path / "c.pem")
    assert (result.code, "web.key_file is not set" in result.err) == (ExitCode.USAGE, True)


@pytest.mark.parametrize(
    "given", [("--web-port", "99999"), ("--web-port", "x"), ("--web-host", "a b"), ("--web-host", "")]
)
def test_values_that_are_not_allowed_are_told(cli: Cli, given: tuple[str, str]) -> None:
    result = cli("live", "--web", *given)
    assert result.code == ExitCode.USAGE
    assert "allowed" in result.err


def test_machine_without_a_browser_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_browser(*_: Any, **__: Any) -> bool:
        raise page_module.webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(page_module.webbrowser, "open", no_browser)
    assert page_module.open_browser("http://127.0.0.1:1/") is False


def test_conversation_is_watched_as_it_is_spoken(tmp_path: Path) -> None:
    """The real pipeline: a question that is said aloud, and one that is typed."""
    with spoken_page(tmp_path) as page, page.client() as client:
        reader = EventReader(client)
        assert reader.wait_for("session")["recogniser"] == "pocketsphinx"
        page.say("When do we launch?")
        spoken = reader.wait_for("turns", lambda value: value["turns"] and value["turns"][-1]["state"] == "speaking")
        (turn,) = spoken["turns"]
        assert "launch" in turn["question"]
        assert turn["theses"][0]["state"] == "speaking"
        assert turn["total_ms"] > 0
        assert (
            client.post("/api/control", json={"action": "ask", "text": "Who is responsible for quality?"}).status_code
            == 204
        )
        both = reader.wait_for("turns", lambda value: len(value["turns"]) == 2 and value["turns"][1]["theses"])
        assert (both["turns"][1]["typed"], both["turns"][1]["question"]) == (True, "Who is responsible for quality?")
        assert client.post("/api/control", json={"action": "stop"}).status_code == 204
        reader.wait_for("turns", lambda value: value["turns"] and value["turns"][-1]["message"] == "stopped")
        assert client.post("/api/control", json={"action": "mute", "on": True}).status_code == 204
        assert reader.wait_for("session", lambda value: value["muted"])["listening"] is False
    reader.join()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sottovoce-web")]
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(page.origin)
