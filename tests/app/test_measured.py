"""Whether a session is measured, what it says of it, and `sottovoce metrics`."""

from __future__ import annotations

import builtins
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sottovoce.app import doctor
from sottovoce.app.context import AppContext
from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.measured import measured_session
from sottovoce.app.metrics_command import DASHBOARD, RULES, shipped
from sottovoce.app.settings import Config, MetricsSettings
from sottovoce.core.errors import BackendUnavailableError
from sottovoce.metrics.catalogue import CATALOGUE
from tests.app.conftest import Result

pytest.importorskip("prometheus_client", reason="needs the extra `metrics`")

Cli = Callable[..., Result]


def app_with(**settings: object) -> AppContext:
    app = AppContext()
    for key, value in settings.items():
        app.override(f"metrics.{key}", value, "--set")
    return app


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """As if a package were not installed."""
    real = builtins.__import__

    def find(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("sottovoce.metrics.") and name.rpartition(".")[2] in ("server", "traces"):
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", find)


def test_nothing_is_measured_unless_it_is_wanted(home: Path) -> None:
    with measured_session(app_with()) as measured:
        assert (measured.observers, measured.url) == ((), "")


def test_port_shows_the_metrics_to_this_machine_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with measured_session(app_with(port=0)) as measured:
        assert measured.url.startswith("http://127.0.0.1:")
        assert len(measured.observers) == 1
    assert capsys.readouterr().err == ""


def test_address_that_others_reach_says_what_they_see(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with measured_session(app_with(port=0, address="0.0.0.0")):
        pass
    said = capsys.readouterr().err
    assert "whoever reaches 0.0.0.0 sees the names of your devices and backends" in said
    assert "never what was said" in said


@pytest.mark.parametrize(
    ("settings", "extra"), [({"port": 0}, "sottovoce[metrics]"), ({"traces": True}, "sottovoce[otel]")]
)
def test_extra_that_is_missing_comes_with_its_command(
    home: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], extra: str
) -> None:
    app = app_with(**settings)
    assert app.config.metrics
    without(monkeypatch, "the_package")
    with (
        pytest.raises(BackendUnavailableError, match="'the_package' is not installed") as caught,
        measured_session(app),
    ):
        pass
    assert extra in caught.value.install_hint
    assert "pip install" in caught.value.install_hint


def test_traces_that_go_nowhere_say_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("opentelemetry", reason="needs the extra `otel`")
    with measured_session(app_with(traces=True)) as measured:
        assert len(measured.observers) == 1
    assert "traces are made and go nowhere" in capsys.readouterr().err


def test_port_in_use_ends_live_before_anything_is_loaded(cli: Cli) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        result = cli("live", "--metrics-port", port, "--set", "asr.backend=whisper")
    assert result.code == ExitCode.USAGE
    assert f"metrics.port is {port}, which is in use on 127.0.0.1" in result.err
    assert "choose another port" in result.err


@pytest.mark.parametrize("port", ["-1", "65536", "http", "9464.5"])
def test_port_that_is_none_is_refused(cli: Cli, port: str) -> None:
    result = cli("live", "--metrics-port", port)
    assert result.code == ExitCode.USAGE
    assert "--metrics-port" in result.err
    assert "a port from 0 to 65535" in result.err


@pytest.mark.parametrize("address", ["", "http://localhost", "a b", "x" * 300])
def test_address_that_is_none_is_refused(cli: Cli, address: str) -> None:
    result = cli("config", "show", "--set", f"metrics.address={address}")
    assert result.code == ExitCode.USAGE
    assert "metrics.address" in result.err


def test_every_metric_is_listed(cli: Cli) -> None:
    listed = cli("metrics", "list", "--json").json
    assert [one["name"] for one in listed] == [metric.name for metrics in CATALOGUE.values() for metric in metrics]
    assert "sottovoce_turn_response_seconds" in cli("metrics", "list").out


@pytest.mark.parametrize(("command", "name"), [("rules", RULES), ("dashboard", DASHBOARD)])
def test_files_are_given_as_they_come(cli: Cli, tmp_path: Path, command: str, name: str) -> None:
    assert cli("metrics", command).out == shipped(name)
    out = tmp_path / "file"
    assert cli("metrics", command, "--out", out).code == 0
    assert out.read_text(encoding="utf-8") == shipped(name)


def test_file_that_cannot_be_written_is_said(cli: Cli, tmp_path: Path) -> None:
    result = cli("metrics", "rules", "--out", tmp_path / "none" / "rules.yml")
    assert result.code == ExitCode.USAGE
    assert "cannot be written: No such file or directory" in result.err


def test_doctor_says_who_sees_the_metrics() -> None:
    def said(**settings: object) -> tuple[str, str]:
        found = doctor._metrics("metrics", Config(metrics=MetricsSettings(**settings)))  # type: ignore[arg-type]
        return found.state, found.detail

    assert said() == ("ok", "off: nobody is shown any")
    assert said(port=9464) == ("ok", "at port 9464 of 127.0.0.1, seen by this machine alone")
    assert said(traces=True) == ("ok", "handed to OpenTelemetry as traces")
    state, detail = said(port=9464, address="0.0.0.0", traces=True)
    assert state == "warning"
    assert "whoever reaches 0.0.0.0 sees" in detail
    assert "OpenTelemetry" in detail


def test_doctor_says_which_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    found = doctor._metrics("metrics", Config(metrics=MetricsSettings(port=9464)))
    assert (found.state, found.detail) == ("warning", "`live` needs prometheus_client")
    assert "sottovoce[metrics]" in found.mend
