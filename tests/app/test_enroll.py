"""`sottovoce enroll`, and what `live` and `doctor` make of an enrolled voice."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from sottovoce.app import enroll
from sottovoce.app.context import AppContext
from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.live import LiveSession
from sottovoce.app.recording import MOST_S, TEXTS, Progress, bar, listen, meter
from sottovoce.app.settings import Config, SpeakerSettings
from sottovoce.app.voices import open_verifier
from sottovoce.audio.wav import WavWriter
from sottovoce.core.errors import ProfileError
from sottovoce.core.types import Block, Mono
from sottovoce.speech.wearer.enrolment import WANTED_SPEECH_S
from tests.app.conftest import Result
from tests.support.voices import SAMPLERATE, STRANGER, WEARER, clipped, room_noise, say

Cli = Callable[..., Result]


def wav(path: Path, *channels: Mono) -> Path:
    with WavWriter(path, SAMPLERATE, len(channels)) as writer:
        writer.write(np.ascontiguousarray(np.stack(channels, axis=1)))
    return path


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return wav(tmp_path / "voice.wav", say(WEARER))


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    return wav(tmp_path / "stranger.wav", say(STRANGER))


def test_voice_is_enrolled_from_a_file_listed_shown_and_deleted(cli: Cli, home: Path, voice: Path) -> None:
    done = cli("enroll", "--from", voice)
    assert done.code == 0, done.err
    assert "Your voice is enrolled as 'default'" in done.out
    assert done.err == ""
    (file,) = (home / "data" / "sottovoce" / "voices").iterdir()
    if sys.platform != "win32":
        assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
    assert file.stat().st_size < 100_000
    (row,) = cli("enroll", "list", "--json").json
    assert (row["name"], row["used"], row["problem"]) == ("default", True, "")
    assert cli("enroll", "list").out.startswith("* default  ")
    shown = cli("enroll", "show", "--json").json
    assert shown["file"] == str(file)
    assert [model.partition("-")[0] for model in shown["models"]] == ["builtin"]
    assert "builtin" in cli("enroll", "show", "default").out
    assert cli("enroll", "delete", "default").code == ExitCode.USAGE  # nobody there to ask
    assert cli("enroll", "delete", "default", "--yes").out == "deleted default\n"
    assert cli("enroll", "list").out.startswith("no voice is enrolled in ")


def test_existing_profile_is_left_unless_it_is_to_be_replaced_or_merged(cli: Cli, voice: Path, stranger: Path) -> None:
    assert cli("enroll", "--from", voice).code == 0
    again = cli("enroll", "--from", voice)
    assert again.code == ExitCode.USAGE
    assert "--merge adds to it, --replace makes it anew" in again.err
    merged = cli("enroll", "--from", voice, "--merge")
    assert "Your voice is added to 'default'" in merged.out
    shown = cli("enroll", "show", "--json").json
    assert shown["speech_s"] > 40.0
    wrong = cli("enroll", "--from", stranger, "--merge")
    assert wrong.code == ExitCode.VOICE
    assert "does not sound like the voice of 'default'" in wrong.err
    assert cli("enroll", "show", "--json").json["speech_s"] == shown["speech_s"]
    assert cli("enroll", "--from", stranger, "--replace").code == 0
    assert cli("enroll", "show", "--json").json["speech_s"] < 40.0


def test_several_profiles_by_name(cli: Cli, voice: Path, stranger: Path) -> None:
    assert cli("enroll", "--name", "ann", "--from", voice).code == 0
    assert cli("enroll", "--name", "мария", "--from", stranger).code == 0
    assert [row["name"] for row in cli("enroll", "list", "--json").json] == ["ann", "мария"]
    assert cli("enroll", "delete", "ann", "bob", "--yes").code == ExitCode.VOICE
    assert cli("enroll", "delete", "ann", "мария", "--yes").code == 0


def test_poor_recording_is_refused_with_all_that_is_wrong(cli: Cli, tmp_path: Path) -> None:
    bad = wav(tmp_path / "bad.wav", clipped(say(WEARER, 0, 1)))
    result = cli("enroll", "--from", bad)
    assert result.code == ExitCode.VOICE
    assert "cut off" in result.err
    assert "s of speech; at least 8 are needed" in result.err
    assert "hint: turn the microphone down" in result.err
    assert cli("enroll", "list", "--json").json == []


def test_dead_channel_is_said_and_survived(cli: Cli, tmp_path: Path) -> None:
    file = wav(tmp_path / "half.wav", say(WEARER), np.zeros_like(say(WEARER)))
    result = cli("enroll", "--from", file)
    assert result.code == 0
    assert "channel 2 of 2" in result.err


def test_file_that_is_no_audio_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"nothing")
    assert cli("enroll", "--from", tmp_path / "x.wav").code == ExitCode.AUDIO_FILE


def test_damaged_profile_is_listed_with_its_problem_and_stops_a_session(cli: Cli, home: Path, voice: Path) -> None:
    cli("enroll", "--from", voice)
    (file,) = (home / "data" / "sottovoce" / "voices").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert "is damaged" in cli("enroll", "list").out
    assert cli("enroll", "show").code == ExitCode.VOICE
    with pytest.raises(ProfileError, match="damaged"):
        open_verifier(Config())
    (row,) = (check for check in cli("doctor", "--json").json["checks"] if check["name"] == "own voice")
    assert row["state"] == "warning"
    assert row["mend"] == "sottovoce enroll --name default --replace"


def test_doctor_and_live_say_whether_a_voice_is_known(cli: Cli, voice: Path) -> None:
    def own_voice(*arguments: str) -> dict[str, str]:
        checks = cli("doctor", "--json", *arguments).json["checks"]
        return next(check for check in checks if check["name"] == "own voice")

    app = AppContext()
    session = LiveSession(app)
    assert own_voice()["mend"] == "sottovoce enroll"
    assert open_verifier(Config()) is None
    assert "`sottovoce enroll`" in session.whose_voice(None).plain
    assert "press n" not in session.whose_voice(None).plain
    follows = AppContext()
    follows.override("turn.advance", "follow", "--set")
    assert "press n for the next one" in LiveSession(follows).whose_voice(None).plain
    cli("enroll", "--from", voice)
    assert own_voice()["state"] == "ok"
    assert own_voice()["detail"].startswith("'default' of 20")
    assert own_voice("--set", "speaker.verify=false")["detail"].startswith("not told from others")
    verifier = open_verifier(Config())
    assert verifier is not None
    assert "known ('default')" in session.whose_voice(verifier).plain
    assert verifier.verify(say(WEARER, 4, 6), SAMPLERATE).kind == "own"
    assert verifier.verify(say(STRANGER, 4, 6), SAMPLERATE).kind == "other"
    assert open_verifier(Config(speaker=SpeakerSettings(verify=False))) is None
    with pytest.raises(ProfileError, match="there is no voice profile 'work'"):
        open_verifier(Config(speaker=SpeakerSettings(profile="work")))


class Tape:
    """A microphone that plays a recording."""

    samplerate, realtime = SAMPLERATE, True

    def __init__(self, audio: Mono) -> None:
        self._left = audio

    def read(self) -> Mono | None:
        block, self._left = self._left[:512], self._left[512:]
        return block if len(block) else None

    def close(self) -> None: ...


def test_recording_ends_by_itself_when_enough_was_said() -> None:
    shown: list[Progress] = []
    voice = np.concatenate([room_noise(2 * SAMPLERATE), say(WEARER), say(WEARER)])
    audio = listen(Tape(voice), shown.append, lambda: False)
    assert len(audio) < len(voice)
    np.testing.assert_array_equal(audio, voice[: len(audio)])
    assert shown[0].speech_s == 0.0
    assert WANTED_SPEECH_S - 1.0 < shown[-1].speech_s < WANTED_SPEECH_S + 1.0
    assert -12.0 < max(progress.peak_dbfs for progress in shown) < -9.0


def test_recording_ends_early_when_asked_and_late_when_nothing_is_said() -> None:
    asked = iter([False] * 10 + [True] * 1000)
    audio = listen(Tape(say(WEARER)), lambda progress: None, lambda: next(asked))
    assert len(audio) == 10 * 512
    silence = room_noise(round((MOST_S + 5.0) * SAMPLERATE))
    audio = listen(Tape(silence), lambda progress: None, lambda: False)
    assert abs(len(audio) - MOST_S * SAMPLERATE) <= 512
    assert len(listen(Tape(np.zeros(0, np.float32)), lambda progress: None, lambda: False)) == 0


@pytest.mark.parametrize(("level", "filled"), [(-120.0, 0), (-60.0, 0), (-30.0, 15), (0.0, 30)])
def test_bar_shows_the_level_and_what_is_left(level: float, filled: int) -> None:
    shown = bar(Progress(3.0, 7.4, level)).plain
    assert shown.count("█") == filled
    assert "7 of 20 s of speech" in shown
    assert ("too loud" in shown) == (level > -1.0)
    assert "█" not in bar(Progress(3.0, 7.4, level), utf8=False).plain


def test_meter_draws_on_a_terminal_alone(capsys: pytest.CaptureFixture[str]) -> None:
    for terminal in (False, True):
        console = Console(force_terminal=terminal, width=100)
        with meter(console) as show:
            show(Progress(1.0, 0.5, -20.0))
        assert ("of speech" in capsys.readouterr().out) == terminal


def test_texts_are_long_enough_to_be_read_for_as_long_as_is_wanted() -> None:
    assert set(TEXTS) == {"en", "ru"}
    # a fast reader says 16 letters a second
    assert all(len(text) / 16.0 > WANTED_SPEECH_S for text in TEXTS.values())


def test_guided_recording_shows_the_text_and_enrols(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    class Microphone:
        samplerate, channels = SAMPLERATE, 2

        def __init__(self) -> None:
            self._left = np.stack([np.zeros_like(say(WEARER)), say(WEARER)], axis=1)

        def __enter__(self) -> Microphone:
            return self

        def __exit__(self, *_: object) -> None: ...

        def read(self, frames: int, *, more: bool = False) -> Block:
            block, self._left = self._left[:frames], self._left[frames:]
            return block

    monkeypatch.setattr("sottovoce.app.wiring.open_recorder", lambda config: Microphone())
    result = cli("enroll", "--language", "ru")
    assert result.code == 0, result.err
    assert "Северный ветер" in " ".join(result.out.split())
    assert "Your voice is enrolled as 'default'" in result.out
    assert "channel 1 of 2 is silent" in result.err


def test_help_says_that_no_sound_is_kept() -> None:
    assert "no sound" in " ".join((enroll.command.help or "").split())
