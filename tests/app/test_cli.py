"""The shell of the command line: help, shared options, and what becomes of errors."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from sottovoce import __version__
from sottovoce.app import cli as cli_module
from sottovoce.app.context import AppContext, setting_option
from sottovoce.app.exit_codes import ExitCode, exit_code_of
from sottovoce.app.logs import LastMessages
from sottovoce.core import errors
from tests.app.conftest import Result

Cli = Callable[..., Result]

SECRET = "what was said"


@click.command("probe")
@click.argument("what")
@setting_option("--speed", key="tts.speed", help="Speed.")
@click.pass_obj
def probe(app: AppContext, what: str) -> None:
    """Fails as it is told."""
    raised: dict[str, BaseException] = {
        "crash": RuntimeError(SECRET),
        "interrupt": KeyboardInterrupt(),
        "notes": errors.NotesError("no [notes] here", path="x", hint="write [some]"),
        "module": ModuleNotFoundError("No module named 'soundfile'", name="soundfile"),
    }
    if what in raised:
        raise raised[what]
    if what == "thread":
        app.config  # reading the settings starts the log
        thread = threading.Thread(target=lambda: int(SECRET), name="worker")
        thread.start()
        thread.join()
    if what == "log":
        app.config  # reading the settings starts the log
        logging.getLogger("sottovoce.probe").info("informed")
    app.console.print(f"speed {app.config.tts.speed}")


@pytest.fixture
def probed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    monkeypatch.setitem(cli_module.COMMANDS, "probe", (f"{__name__}:probe", "Fail."))
    monkeypatch.setitem(sys.modules, __name__, sys.modules[probe.callback.__module__])  # type: ignore[union-attr]
    return cli


def test_help_names_every_command_and_exit_code(cli: Cli) -> None:
    result = cli("--help")
    assert result.code == 0
    assert not [name for name in cli_module.COMMANDS if f"\n  {name} " not in result.out]
    assert not [code for code in ExitCode if f"\n    {code.value} " not in result.out]


def test_the_command_line_documents_its_exit_codes() -> None:
    page = Path(__file__).parents[2] / "docs" / "cli.md"
    text = page.read_text(encoding="utf-8")
    assert not [code for code in ExitCode if f"| {code.value} | {code.meaning} |" not in text]


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"sottovoce {__version__}\n"


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("config", "--help"), ("doctor", "--help")])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    script = (
        "import sys; from sottovoce.app.cli import run; code = run(sys.argv[1:]);"
        "heavy = {'numpy', 'pydantic', 'rich', 'sounddevice', 'soundfile', 'sqlite3', 'sottovoce.native'};"
        "sys.exit(code or repr(heavy & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.stderr.strip() in ("", "''")
    assert done.stdout


def test_without_a_command_help_is_shown_and_the_usage_is_wrong(cli: Cli) -> None:
    result = cli()
    assert result.code == 2
    assert "Commands:" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("demoo",), "error: there is no command 'demoo'; did you mean demo?\nhint: sottovoce --help\n"),
        (("xyzzy",), "error: there is no command 'xyzzy'; there are: demo, answer, live"),
        (("--sett", "x"), "error: No such option"),
        (("config", "shew"), "error: No such command 'shew'"),
        (("config", "show", "--set", "tts.speed"), "SECTION.KEY=VALUE"),
        (("--log-level", "loud", "devices"), "is not one of 'debug', 'info', 'warning', 'error'"),
        (("config", "show", "--toml", "--json"), "exclude one another"),
    ],
)
def test_wrong_usage_is_told_in_one_line_with_a_hint(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    result = cli(*arguments)
    assert result.code == 2
    assert said in result.err
    assert "hint: sottovoce" in result.err
    assert result.out == ""


def test_shared_options_may_stand_before_or_after_the_command(cli: Cli) -> None:
    before = cli("--set", "tts.speed=2", "config", "show", "--json").json
    after = cli("config", "show", "--json", "--set", "tts.speed=2").json
    between = cli("config", "--set", "tts.speed=2", "show", "--json").json
    assert before == after == between
    assert before["settings"]["tts.speed"] == {"value": 2.0, "from": "option", "where": "--set", "line": None}


def test_shared_options_do_not_crowd_the_help_of_a_command(cli: Cli) -> None:
    assert "--log-file" not in cli("devices", "--help").out


def test_an_option_of_a_command_sets_a_setting(probed: Cli) -> None:
    assert probed("probe", "x").out == "speed 1.35\n"
    assert probed("probe", "x", "--speed", "2").out == "speed 2.0\n"
    result = probed("probe", "x", "--speed", "7")
    assert result.code == 2
    assert '--speed: tts.speed = "7" is not allowed; allowed: a number from 0.5 to 3' in result.err


def test_an_error_is_told_with_its_hint_and_without_a_traceback(probed: Cli) -> None:
    result = probed("probe", "notes")
    assert result == Result(5, "", "error: no [notes] here\nhint: write [some]\n")


def test_a_traceback_is_shown_when_it_is_asked_for(probed: Cli) -> None:
    assert "Traceback" in probed("-v", "probe", "notes").err
    assert "Traceback" in probed("probe", "crash", "-vv").err


def test_a_missing_package_is_named_with_the_command_that_installs_it(probed: Cli) -> None:
    result = probed("probe", "module")
    assert result.code == ExitCode.MISSING
    assert result.err == (
        "error: the Python package of 'soundfile' is not installed\nhint: pip install 'sottovoce[offline]'\n"
    )


def test_an_unexpected_error_shows_neither_its_words_nor_a_traceback(probed: Cli, tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = probed("--log-file", log, "probe", "crash")
    assert result.code == ExitCode.INTERNAL
    assert result.err.startswith("error: internal error: RuntimeError\nhint: run it again with -v")
    assert "Traceback" not in result.err
    logged = log.read_text(encoding="utf-8")
    assert "RuntimeError" in logged
    assert "in probe" in logged
    assert SECRET not in result.err + logged


def test_the_log_is_readable_by_its_owner_alone(probed: Cli, tmp_path: Path) -> None:
    log = tmp_path / "log"
    probed("--log-file", log, "probe", "log")
    assert log.stat().st_mode & 0o077 == 0
    assert "informed" in log.read_text(encoding="utf-8")


def test_a_log_file_that_cannot_be_written_is_an_error(probed: Cli, tmp_path: Path) -> None:
    result = probed("--log-file", tmp_path / "no" / "log", "probe", "log")
    assert result.code == 2
    assert "cannot be written" in result.err


@pytest.mark.parametrize("arguments", [("-v",), ("--log-level", "info"), ("--set", "log.level=debug")])
def test_messages_are_shown_from_the_level_that_is_wanted(probed: Cli, arguments: tuple[str, ...]) -> None:
    assert probed(*arguments, "probe", "log").err == "info: probe: informed\n"
    assert probed("probe", "log").err == ""


def test_a_thread_that_crashes_says_so_without_a_traceback_or_its_words(probed: Cli, tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = probed("--log-file", log, "probe", "thread")
    assert "Traceback" not in result.err
    assert "unexpected ValueError in the thread worker" in result.err
    assert SECRET not in result.err


def test_an_interruption_is_told_shortly(probed: Cli) -> None:
    result = probed("probe", "interrupt")
    assert (result.code, result.err.strip()) == (130, "error: interrupted")


@pytest.mark.parametrize("option", ["--explain", "--json"])  # one is written by rich, the other by click
@pytest.mark.parametrize("unbuffered", ["", "1"])  # noticed at the end, or by the command itself
def test_a_reader_that_goes_away_ends_it_quietly(unbuffered: str, option: str) -> None:
    script = "from sottovoce.app.cli import run; import sys; sys.exit(run(['config', 'show', sys.argv[1]]))"
    with subprocess.Popen(
        [sys.executable, "-c", script, option],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before anything is written
        assert process.stderr.read() == b""
        assert process.wait() == ExitCode.BROKEN_PIPE


def test_a_terminal_without_utf8_gets_what_it_can_show() -> None:
    script = (
        "from sottovoce.app.cli import run; import sys; sys.exit(run(['config', 'show', '--set', 'notes.path=ж…']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin", "HOME": "/nowhere"},
        check=False,
    )
    assert done.returncode == 0
    assert b'"?..."' in done.stdout
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("x"), ExitCode.USAGE),
        (errors.BackendUnavailableError("x", backend="b", install_hint="h"), ExitCode.MISSING),
        (errors.AudioFileError("x", path="x"), ExitCode.AUDIO_FILE),
        (errors.NotesError("x", path="x"), ExitCode.NOTES),
        (errors.DeviceNotFoundError("x"), ExitCode.DEVICE),
        (errors.DeviceLostError("x", generation=1), ExitCode.DEVICE),
        (errors.StreamClosedError("x"), ExitCode.DEVICE),
        (errors.BackendTimeoutError("x", backend="b"), ExitCode.BACKEND),
        (errors.StoreError("x", path="x"), ExitCode.STORE),
        (errors.SottovoceError("x"), ExitCode.INTERNAL),
        (ValueError("x"), ExitCode.INTERNAL),
    ],
)
def test_every_kind_of_error_has_its_exit_code(error: BaseException, code: ExitCode) -> None:
    assert exit_code_of(error) is code


def test_a_missing_system_library_has_the_exit_code_of_what_is_missing() -> None:
    try:
        try:
            raise OSError("PortAudio library not found")
        except OSError as cause:
            raise errors.DeviceError("PortAudio cannot be loaded") from cause
    except errors.DeviceError as error:
        code = exit_code_of(error)
    assert code is ExitCode.MISSING


def test_without_its_packages_the_command_line_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['click'] = None;"
        "from sottovoce.__main__ import main; sys.argv = ['sottovoce', '--version']; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.MISSING
    assert done.stderr == "error: the command line needs click: pip install 'sottovoce[offline]'\n"


def test_messages_are_kept_off_the_screen_while_a_picture_is_there(
    cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    cli("config", "show")  # starts the log
    logger = logging.getLogger("sottovoce.probe")
    with LastMessages(2) as messages:
        for word in ("one", "two", "three"):
            logger.warning(word)
        logger.info("unimportant")
    assert [line.partition(" ")[2] for line in messages.lines] == ["warning: probe: two", "warning: probe: three"]
    assert capsys.readouterr().err == ""
    logger.warning("four")
    assert capsys.readouterr().err == "warning: probe: four\n"
