"""Voice profiles as files: whole, private, checked."""

from __future__ import annotations

import json
import os
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from sottovoce.core.errors import ProfileError
from sottovoce.speech.wearer.profile import MOST_VECTORS, ProfileStore, VoiceProfile

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def profile(name: str = "default", model: str = "m", rows: int = 3, seed: int = 0) -> VoiceProfile:
    vectors = np.random.default_rng(seed).standard_normal((rows, 8)).astype(np.float32)
    return VoiceProfile(name, NOW, NOW, 21.5, {model: vectors / np.linalg.norm(vectors, axis=1, keepdims=True)})


@pytest.fixture
def store(tmp_path: Path) -> ProfileStore:
    return ProfileStore(tmp_path / "deep" / "voices")


def test_profile_comes_back_as_it_was(store: ProfileStore) -> None:
    before = profile()
    store.save(before)
    after = store.load("default")
    assert (after.name, after.created, after.updated, after.speech_s) == ("default", NOW, NOW, 21.5)
    np.testing.assert_allclose(after.voices["m"], before.voices["m"], atol=2e-5)
    assert store.names() == ("default",)
    assert "default" in store


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_profile_is_readable_by_its_owner_alone(store: ProfileStore) -> None:
    old = os.umask(0)
    try:
        path = store.save(profile())
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert [each.name for each in store.folder.iterdir()] == ["default.voice"]


def test_missing_profile_is_said_with_those_that_there_are(store: ProfileStore) -> None:
    with pytest.raises(ProfileError, match="there is none yet") as caught:
        store.load("work")
    assert caught.value.hint == "sottovoce enroll --name work"
    store.save(profile("home"))
    with pytest.raises(ProfileError, match="there are: home"):
        store.load("work")


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "binary", "list", "other", "no vectors", "nan"])
def test_damaged_profile_is_refused_and_can_be_replaced_and_deleted(store: ProfileStore, damage: str) -> None:
    path = store.save(profile())
    text = path.read_text(encoding="ascii")
    content = json.loads(text)
    path.write_bytes(
        {
            "cut": text[: len(text) // 2].encode(),
            "changed": text.replace('"speech_s": 21.5', '"speech_s": 99.5').encode(),
            "empty": b"",
            "binary": bytes(range(256)),
            "list": b"[]",
            "other": b'{"format": "something else", "version": 1}',
            "no vectors": json.dumps({**content, "voices": {"m": []}}).encode(),
            "nan": json.dumps({**content, "voices": {"m": [[float("nan")]]}}).encode(),
        }[damage]
    )
    with pytest.raises(ProfileError, match="'default' is damaged") as caught:
        store.load("default")
    assert caught.value.hint == "sottovoce enroll --name default --replace"
    store.save(profile())
    assert store.load("default").speech_s == 21.5
    store.delete("default")
    assert store.names() == ()


def test_profile_of_another_version_is_refused(store: ProfileStore) -> None:
    path = store.save(profile())
    path.write_text(path.read_text(encoding="ascii").replace('"version": 1', '"version": 2'), encoding="ascii")
    with pytest.raises(ProfileError, match="of version 2; this sottovoce reads version 1") as caught:
        store.load("default")
    assert "update sottovoce" in caught.value.hint


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a.b", "x" * 61, "a b"])
def test_name_that_is_no_name_is_refused(store: ProfileStore, name: str) -> None:
    with pytest.raises(ProfileError, match="no name for a voice profile"):
        store.path_of(name)


def test_deleting_what_is_not_there_is_an_error(store: ProfileStore) -> None:
    with pytest.raises(ProfileError, match="there is no voice profile 'x'"):
        store.delete("x")


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(ProfileError, match="cannot be written") as caught:
        ProfileStore(tmp_path / "file").save(profile())
    assert "speaker.folder" in caught.value.hint


def test_merged_profile_holds_both_and_is_bounded() -> None:
    later = NOW + timedelta(days=2)
    newer = VoiceProfile("default", later, later, 20.0, profile(rows=4, seed=1).voices)
    both = profile().merged(newer)
    assert (both.created, both.updated, both.speech_s, len(both.voices["m"])) == (NOW, later, 41.5, 7)
    other = profile().merged(VoiceProfile("default", later, later, 20.0, profile(model="n").voices))
    assert set(other.voices) == {"m", "n"}
    for _ in range(30):
        both = both.merged(newer)
    assert len(both.voices["m"]) == MOST_VECTORS
