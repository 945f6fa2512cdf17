"""`sottovoce config`: what is shown, explained and written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_origin

import pytest

from sottovoce.app.config import load
from sottovoce.app.reference import settings
from sottovoce.app.settings import SECTIONS, Config
from sottovoce.app.toml_text import commented_file, config_file, toml_value
from tests.app.conftest import Result

Cli = Callable[..., Result]

SOURCES = Path(__file__).parents[2] / "src" / "engine" / "sottovoce"


def test_every_setting_is_documented() -> None:
    for key, setting in settings().items():
        assert setting.description.endswith("."), key
        assert setting.allowed, key
        assert SECTIONS[setting.section].__doc__


@pytest.mark.parametrize("key", list(settings()))
def test_every_default_is_allowed(key: str) -> None:
    setting = settings()[key]
    assert setting.check(setting.default, strict=True, folder=Path()) == setting.default
    assert not setting.backends or setting.default in setting.backends


def test_every_number_has_limits_and_says_them() -> None:
    for key, setting in settings().items():
        if setting.field.annotation in (int, float):
            assert len(setting.field.metadata) == 2, key
            assert re.fullmatch(r"a (whole )?number (from|above) \S+ (to|and below) \S+", setting.allowed), key


def test_every_choice_is_named() -> None:
    for setting in settings().values():
        if get_origin(setting.field.annotation) is not None:
            for choice in get_args(setting.field.annotation):
                assert not isinstance(choice, str) or f'"{choice}"' in setting.allowed


@pytest.mark.parametrize("key", [key for key in settings() if key != "log.level"])
def test_every_setting_does_something(key: str) -> None:
    """A switch that nothing reads would be a promise not kept."""
    section, _, name = key.partition(".")
    used = re.compile(rf"\b(?:{section}|config|settings|session|tts|vad|audio)\.{name}\b")
    readers = [
        path
        for path in (*SOURCES.glob("app/*.py"), *SOURCES.glob("app/web/*.py"))
        if path.name not in ("settings.py", "doctor.py", "devices.py") and used.search(path.read_text(encoding="utf-8"))
    ]
    assert readers, f"nothing reads {key}"


def test_a_printed_file_gives_the_same_settings_again(cli: Cli, tmp_path: Path) -> None:
    odd = ("--set", 'tts.voice="\\ \x7fж', "--set", "audio.latency=0.25", "--set", "session.store=off")
    file = tmp_path / "all.toml"
    file.write_text(cli(*odd, "config", "show", "--toml").out, encoding="utf-8")
    config = load(file, {}).config
    assert (config.tts.voice, config.audio.latency, config.session.store) == ('"\\ \x7fж', 0.25, False)
    assert config_file(config) == file.read_text(encoding="utf-8")
    assert len(tomllib.loads(config_file(config))) == len(SECTIONS)


def test_a_new_file_changes_nothing_and_explains_everything(cli: Cli, home: Path) -> None:
    file = Path(cli("config", "path").out.strip())
    assert home in file.parents
    assert cli("config", "init").code == 0
    text = file.read_text(encoding="utf-8")
    assert load(None, {}).config == Config()
    assert not [setting.name for setting in settings().values() if f"\n#{setting.name} = " not in text]
    file.write_text(re.sub(r"(?m)^#(\w+ = )", r"\1", text), encoding="utf-8")
    loaded = load(None, {})
    assert loaded.config == Config()
    assert {origin.layer for origin in loaded.provenance.values()} == {"file"}


def test_a_new_file_never_overwrites_one(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("# mine", encoding="utf-8")
    result = cli("--config", file, "config", "init")
    assert (result.code, file.read_text(encoding="utf-8")) == (2, "# mine")
    assert "left as it is" in result.err
    assert cli("config", "init", "--config", file / "below").code == 2


def test_the_table_names_the_file_and_line_of_a_value(cli: Cli, home: Path) -> None:
    file = home / "my.toml"
    file.write_text("[tts]\nspeed = 2\n", encoding="utf-8")
    lines = cli("--config", file, "config", "show").out.splitlines()
    (speed,) = (line for line in lines if line.startswith("tts.speed"))
    assert speed.split() == ["tts.speed", "2.0", f"~{file.anchor}my.toml:2"]
    assert lines[-1] == f"file: ~{file.anchor}my.toml"


def test_the_explanation_names_every_setting_and_variable(cli: Cli) -> None:
    shown = cli("config", "show", "--explain").out
    explained = cli("config", "show", "--explain", "--json").json
    assert list(explained) == list(settings())
    for key, setting in settings().items():
        assert f"\n{key} = {toml_value(setting.default)}\n" in shown
        assert not [name for name in setting.env_names if name not in shown]


def test_wrong_settings_do_not_keep_the_explanation_or_a_new_file_from_being_had(cli: Cli) -> None:
    wrong = ("--set", "tts.speed=14")
    assert cli(*wrong, "config", "show").code == 2
    assert cli(*wrong, "config", "show", "--explain").code == 0
    assert cli(*wrong, "config", "path").code == 0
    assert cli(*wrong, "config", "init").code == 0


def test_the_commented_file_fits_a_screen() -> None:
    assert max(map(len, commented_file().splitlines())) <= 100
