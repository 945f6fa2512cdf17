"""`sottovoce doctor`: what it finds, what it advises, and how it ends."""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sottovoce.app import doctor, system_packages
from sottovoce.app.config import Override, load
from sottovoce.app.doctor import Check, exit_code
from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.system_packages import PORTAUDIO, pip_install, system_install
from sottovoce.audio import priority
from sottovoce.audio.portaudio import choose_way
from sottovoce.audio.priority import PriorityGrant
from sottovoce.core.errors import DeviceNotFoundError
from sottovoce.speech import registry
from tests.app.conftest import Result
from tests.audio.fakes import make_device

Cli = Callable[..., Result]


def examine(cli: Cli, *arguments: object) -> tuple[Result, dict[str, dict[str, str]]]:
    result = cli(*arguments, "doctor", "--json")
    return result, {check["name"]: check for check in result.json["checks"]}


def test_here_everything_that_demo_and_answer_need_works(cli: Cli) -> None:
    result, found = examine(cli)
    assert result.code == 0, result.out
    assert result.json["works"] is True
    assert not [name for name, check in found.items() if check["state"] == "missing"]
    assert [name for name, check in found.items() if "nothing leaves this machine" in check["detail"]] == [
        "recogniser",
        "generator",
        "synthesiser",
    ]


def test_whatever_does_not_work_comes_with_advice(cli: Cli, tmp_path: Path) -> None:
    _, found = examine(cli, "--set", "audio.output=no such device", "--set", f"notes.path={tmp_path}")
    assert not [name for name, check in found.items() if (check["state"] == "ok") == bool(check["mend"])]


def test_the_verdict_stands_at_the_end(cli: Cli) -> None:
    assert cli("doctor").out.splitlines()[-1].startswith("`demo` and `answer` work")


def test_wrong_settings_are_shown_and_the_rest_is_looked_at(cli: Cli) -> None:
    result, found = examine(cli, "--set", "tts.speed=14")
    assert result.code == ExitCode.USAGE
    assert "tts.speed" in found["settings"]["detail"]
    assert found["synthesiser"]["state"] == "ok"


def test_a_language_without_a_voice_or_a_recogniser_is_missed(cli: Cli) -> None:
    result, found = examine(cli, "--set", "tts.voice=no-such-voice")
    assert (result.code, found["synthesiser"]["state"]) == (ExitCode.BACKEND, "missing")
    assert "no-such-voice" in found["synthesiser"]["detail"]


def test_notes_are_read(cli: Cli, tmp_path: Path) -> None:
    empty, found = examine(cli, "--set", f"notes.path={tmp_path}")
    assert (empty.code, found["notes"]["state"]) == (ExitCode.NOTES, "missing")
    (tmp_path / "mine.md").write_text("# When?\n- On the third of June\n", encoding="utf-8")
    read, found = examine(cli, "--set", f"notes.path={tmp_path}")
    assert (read.code, found["notes"]["state"]) == (0, "ok")


def test_the_store_is_tried_without_being_made(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "sessions.db"
    assert examine(cli, "--set", f"session.path={path}")[1]["session store"]["state"] == "ok"
    assert not path.parent.exists()
    (tmp_path / "deep").write_text("a file, not a folder", encoding="utf-8")
    assert examine(cli, "--set", f"session.path={path}")[1]["session store"]["state"] == "warning"
    path = tmp_path / "text.db"
    path.write_text("this is not a database", encoding="utf-8")
    assert "not a database" in examine(cli, "--set", f"session.path={path}")[1]["session store"]["detail"]


def test_an_sqlite_without_full_text_search_is_missed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(sqlite3.Connection):
        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            raise sqlite3.OperationalError("no such module: fts5")

    def connect(path: str) -> sqlite3.Connection:
        return real(path, factory=Refusing)

    real = sqlite3.connect
    monkeypatch.setattr(doctor.sqlite3, "connect", connect)
    result, found = examine(cli)
    assert (result.code, found["search"]["state"]) == (ExitCode.MISSING, "missing")


def _run(prelude: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    script = f"import sys; {prelude}; from sottovoce.app.cli import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", script, *arguments, "doctor", "--json"]
    return subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)


def test_without_portaudio_demo_and_answer_still_work(home: Path, tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n", encoding="utf-8")
    done = _run(f"sys.path.insert(0, {str(tmp_path)!r})")
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 0, done.stderr
    assert found["PortAudio"]["state"] == "warning"
    assert found["PortAudio"]["mend"] == system_install(PORTAUDIO)
    assert found["earpiece"]["state"] == found["microphone"]["state"] == "warning"


@pytest.mark.parametrize(
    ("module", "name"),
    [("pocketsphinx", "recogniser"), ("espeakng_loader", "synthesiser"), ("soundfile", "audio files")],
)
def test_a_missing_package_is_missed_with_the_command_that_installs_it(home: Path, module: str, name: str) -> None:
    hide = (
        "import importlib.abc;"
        "Hide = type('Hide', (importlib.abc.MetaPathFinder,), {'find_spec': lambda self, name, path, target=None: "
        f"(_ for _ in ()).throw(ModuleNotFoundError(name, name=name)) if name == {module!r} else None}});"
        "sys.meta_path.insert(0, Hide())"
    )
    done = _run(hide)
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == ExitCode.MISSING
    assert [check["name"] for check in found.values() if check["state"] == "missing"] == [name]
    assert found[name]["mend"].endswith("install 'sottovoce[offline]'")


def test_without_its_compiled_part_nothing_else_is_tried(home: Path) -> None:
    done = _run("sys.modules['sottovoce.native.convert'] = None")
    found = json.loads(done.stdout)["checks"]
    assert done.returncode == ExitCode.MISSING
    assert [check["name"] for check in found] == ["Python", "sottovoce", "settings"]
    assert "pip" in found[1]["mend"]


def test_the_first_thing_that_is_missing_decides_the_exit_code() -> None:
    well, warned = Check("a", "ok", ""), Check("b", "warning", "", "mend", ExitCode.STORE)
    notes, package = Check("c", "missing", "", "", ExitCode.NOTES), Check("d", "missing", "")
    assert exit_code([well, warned]) is ExitCode.OK
    assert exit_code([well, notes, package]) is ExitCode.NOTES
    assert exit_code([package, notes]) is ExitCode.MISSING


@pytest.mark.parametrize(
    ("managers", "sudo", "root", "command"),
    [
        (["apt-get", "brew"], True, False, "sudo apt-get install libportaudio2"),
        (["apt-get"], True, True, "apt-get install libportaudio2"),
        (["apt-get"], False, False, "apt-get install libportaudio2"),
        (["dnf"], True, False, "sudo dnf install portaudio"),
        (["pacman"], True, False, "sudo pacman -S portaudio"),
        (["brew"], True, False, "brew install portaudio"),
        ([], True, False, "install the system package libportaudio2 or portaudio"),
    ],
)
def test_a_system_package_is_installed_in_the_manner_of_the_system(
    monkeypatch: pytest.MonkeyPatch, managers: list[str], sudo: bool, root: bool, command: str
) -> None:
    there = {*managers, *(["sudo"] if sudo else [])}
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr(system_packages.os, "geteuid", lambda: 0 if root else 1000, raising=False)
    assert system_install(PORTAUDIO) == command


def test_a_python_package_is_installed_into_this_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "executable", "/opt/my python/bin/python")
    assert pip_install("sottovoce[offline]") == "'/opt/my python/bin/python' -m pip install 'sottovoce[offline]'"
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: "/usr/bin/uv" if name == "uv" else None)
    monkeypatch.setattr(system_packages.importlib.util, "find_spec", lambda name: None)
    assert pip_install("x") == "uv pip install --python '/opt/my python/bin/python' x"


@pytest.mark.parametrize(
    ("grant", "state", "detail"),
    [
        (PriorityGrant(True, 99), "ok", "up to 99"),
        (PriorityGrant(False, reason="RLIMIT_RTPRIO is 0"), "warning", "RLIMIT_RTPRIO is 0"),
        (PriorityGrant(None, reason="the system does it"), "ok", "the system does it"),
    ],
)
def test_realtime_priority_is_looked_at(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, grant: PriorityGrant, state: str, detail: str
) -> None:
    monkeypatch.setattr(priority, "priority_grant", lambda: grant)
    row = examine(cli)[1]["realtime priority"]
    assert row["state"] == state
    assert detail in row["detail"]
    assert ("rtprio" in row["mend"]) == (state == "warning")


@pytest.mark.parametrize("way", ["sounddevice", "ctypes"])
def test_the_way_into_portaudio_is_shown(cli: Cli, way: str) -> None:
    found = examine(cli, "--set", f"audio.portaudio={way}")[1]["PortAudio"]
    assert found["detail"].endswith(f"streams opened by {way}") or found["state"] == "warning"
    choose_way("auto")


def test_microphone_that_spoils_the_earpiece_comes_with_another_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    headset = make_device(0, "AirPods Pro", default=True)
    desk = dataclasses.replace(make_device(1, "desk microphone"), output_channels=0)
    monkeypatch.setattr("sottovoce.audio.devices.list_devices", lambda: (headset, desk))
    _, found = examine(cli)
    microphone = found["microphone"]
    assert (microphone["state"], found["earpiece"]["state"]) == ("warning", "ok")
    assert "'AirPods Pro' falls to telephone quality" in microphone["detail"]
    assert microphone["mend"] == "set audio.input to another microphone: 'desk microphone'"
    _, found = examine(cli, "--set", "audio.input=desk microphone")
    assert found["microphone"]["state"] == "ok"


@pytest.mark.parametrize(
    ("settings", "state", "words"),
    [
        ((), "ok", "nothing costs anything"),
        (("llm.backend=openai, notes",), "ok", "the prices of 1 models are known; no budget is set"),
        (("llm.backend=openai", "budget.day_stop_usd=1"), "ok", "a budget is set"),
        (("llm.backend=openai", "openai.llm_model=gpt-99"), "warning", "the price of gpt-99 (openai) is unknown"),
        (("llm.backend=openai", "openai.base_url=http://box:1/v1"), "warning", "gpt-4o-mini (box) is unknown"),
    ],
)
def test_prices_of_the_services_are_looked_up(home: Path, settings: tuple[str, ...], state: str, words: str) -> None:
    overrides = [Override(*setting.split("=", 1)) for setting in settings]
    check = doctor._costs("costs", load(None, {}, overrides).config)
    assert (check.state, words in check.detail) == (state, True), check
    assert bool(check.mend) == (state != "ok")


@pytest.mark.parametrize(
    ("settings", "state", "said"),
    [
        ([], "ok", "of use only where a microphone hears a loudspeaker"),
        (["audio.loopback=auto"], "warning", "heard twice"),
        (["audio.echo_cancellation=on"], "warning", "needs it as it is set"),
        (["audio.echo_cancellation=off"], "ok", "for earpieces"),
    ],
)
def test_canceller_that_is_missing_is_asked_for_where_it_is_of_use(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, settings: list[str], state: str, said: str
) -> None:
    monkeypatch.setattr(registry, "_installed", lambda package: package != "pyaec")
    _, found = examine(cli, *(word for setting in settings for word in ("--set", setting)))
    assert (found["echo"]["state"], said in found["echo"]["detail"]) == (state, True)
    assert ("sottovoce[aec]" in found["echo"]["mend"]) == (state == "warning")


def test_second_ear_is_offered_and_missed_only_where_it_is_wanted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sottovoce.audio.loopback.offered", lambda: ("headset.monitor",))
    _, found = examine(cli)
    assert found["second ear"]["detail"] == "off; there is headset.monitor (`live --loopback auto`)"

    def nothing(wanted: int | str) -> None:
        raise DeviceNotFoundError("no input of this machine gives what it plays", hint="install BlackHole")

    monkeypatch.setattr("sottovoce.audio.loopback.find_loopback", nothing)
    _, found = examine(cli, "--set", "audio.loopback=auto")
    assert (found["second ear"]["state"], found["second ear"]["mend"]) == ("warning", "install BlackHole")
