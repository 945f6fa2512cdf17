"""Keys: where they are found, in which order, and that they do not show themselves."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from sottovoce.core.errors import BackendError
from sottovoce.speech.remote import keys
from sottovoce.speech.remote.keys import Key, KeyPlace

KEY = "sk-planted-0123456789"


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """No variable, and a keyring that holds what the test puts there."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    held: dict[tuple[str, str], str] = {}
    keyring, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    keyring.get_password = lambda service, user: held.get((service, user))  # type: ignore[attr-defined]
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    monkeypatch.setattr(keys.importlib.util, "find_spec", lambda name: SimpleNamespace())
    return held


def key_file(folder: Path, text: str = KEY, mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def place(file: Path | None = None) -> KeyPlace:
    return KeyPlace("openai", ("OPENAI_API_KEY",), file)


def found(where: KeyPlace) -> str | None:
    key = where.find()
    return None if key is None else key.reveal()


def account(folder: Path, kind: str = "authorized_user") -> Path:
    path = folder / "application_default_credentials.json"
    path.write_text(json.dumps({"type": kind, "refresh_token": KEY}), encoding="utf-8")
    path.chmod(0o600)
    return path


def test_account_of_googles_tools_is_taken_where_it_will_do_and_only_if_other_places_may_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    google = KeyPlace("google", ("GOOGLE_TTS_API_KEY",), accounts=True)
    assert google.find() is None
    file = account(tmp_path)
    key = google.find()
    assert key is not None
    assert (key.origin, json.loads(key.reveal())["type"]) == (f"the file {file}", "authorized_user")
    assert KEY not in repr(key)
    assert google.find(elsewhere=False) is None
    assert place().find() is None  # OpenAI has no use for it
    monkeypatch.setenv("GOOGLE_TTS_API_KEY", KEY)
    assert found(google) == KEY


def test_account_of_another_kind_and_one_that_others_can_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    google = KeyPlace("google", ("GOOGLE_TTS_API_KEY",), accounts=True)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account(tmp_path, "external_account")))
    with pytest.raises(BackendError, match="of a kind that is understood") as caught:
        google.find()
    assert KEY not in f"{caught.value} {caught.value.hint}"
    account(tmp_path).chmod(0o644)
    if os.name == "posix":
        with pytest.raises(BackendError, match="can be read by others"):
            google.find()


def test_environment_is_stronger_than_file_and_file_than_keyring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: dict[tuple[str, str], str]
) -> None:
    assert found(place()) is None
    empty["sottovoce", "openai"] = "from-keyring"
    assert found(place()) == "from-keyring"
    assert place().find(elsewhere=False) is None
    file = key_file(tmp_path, " from-file\n")
    assert found(place(file)) == "from-file"
    monkeypatch.setenv("OPENAI_API_KEY", "from-environment")
    assert found(place(file)) == "from-environment"


def test_missing_key_is_an_error_that_says_how_to_give_it() -> None:
    with pytest.raises(BackendError, match="no key for openai") as caught:
        place().require()
    assert "OPENAI_API_KEY" in caught.value.hint
    assert "openai.key_file" in caught.value.hint
    assert "keyring set sottovoce openai" in caught.value.hint
    assert not caught.value.retryable


@pytest.mark.skipif(os.name != "posix", reason="modes of files are a matter of POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(BackendError, match="can be read by others") as caught:
        place(key_file(tmp_path, mode=mode)).find()
    assert caught.value.hint.startswith("chmod 600 ")


@pytest.mark.parametrize("text", ["", "two words", "ключ-ключ", "line\nline", "bell\x07", "x" * 5000])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(BackendError) as caught:
        place(key_file(tmp_path, text)).find()
    assert not text or text not in f"{caught.value} {caught.value.hint} {caught.value!r}"


def test_file_that_is_not_there_or_not_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="cannot be read"):
        place(tmp_path / "nothing").find()
    file = key_file(tmp_path)
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(BackendError, match="is not text"):
        place(file).find()


def test_keyring_that_is_locked_holds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(service: str, user: str) -> str:
        raise sys.modules["keyring.errors"].KeyringError

    monkeypatch.setattr(sys.modules["keyring"], "get_password", locked)
    assert found(place()) is None


def test_key_shows_only_where_it_came_from() -> None:
    key = Key(KEY, "the variable OPENAI_API_KEY")
    assert KEY not in f"{key} {key!r} {[key]}"
    assert "OPENAI_API_KEY" in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
