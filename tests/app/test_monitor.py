"""`sottovoce monitor` in this process, on an audio system that is not there."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sottovoce.app import wiring
from sottovoce.app.monitor import command, sound
from sottovoce.app.settings import Config
from sottovoce.audio import afresh
from sottovoce.audio.bluetooth import TelephoneQuality
from sottovoce.audio.output import DeviceOutput
from sottovoce.audio.player import Player
from sottovoce.audio.recorder import Recorder
from sottovoce.audio.wav import WavOutput, WavWriter
from tests.app.conftest import Result
from tests.audio.fakes import FakeHost, wait_for

Cli = Callable[..., Result]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """The devices that the command opens; no block ever comes from them."""
    host = FakeHost()

    def player(config: Config) -> Player:
        return Player(48000, 2, output=DeviceOutput(config.audio.output, host=host))

    def recorder(config: Config, *, prompt: bool) -> Recorder:
        return Recorder(16000, device=config.audio.input, host=host)

    monkeypatch.setattr(wiring, "open_player", player)
    monkeypatch.setattr(wiring, "open_recorder", recorder)
    monkeypatch.setattr(command, "ONCE_S", 0.05)
    monkeypatch.setattr(afresh, "check_headset", lambda microphone, earpiece: None)
    return host


def test_once_draws_one_picture_and_gives_the_devices_back(cli: Cli, host: FakeHost) -> None:
    result = cli("monitor", "--once")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("● starting")
    assert "OUTPUT    first · running · generation 1 · 48000 Hz · stereo" in result.out
    assert "INPUT     first · running" in result.out
    assert all("close" in stream.calls for stream in host.streams)


def test_once_as_json_is_one_object(cli: Cli, host: FakeHost) -> None:
    told = cli("monitor", "--once", "--json", "--no-input", "--output", "second").json
    assert (told["output"]["stream"]["device"], told["input"]) == ("second", None)


def test_without_a_terminal_there_are_plain_lines(cli: Cli, host: FakeHost) -> None:
    lines = cli("monitor", "--for", "0.2", "--no-output").out.splitlines()
    assert lines == ["0:00 starting | input first running, overruns 0"]


def test_json_lines_are_objects(cli: Cli, host: FakeHost) -> None:
    lines = cli("monitor", "--for", "1.2", "--json").out.splitlines()
    assert [json.loads(line)["playing"] for line in lines] == ["silence", "silence"]


def test_lost_sound_ends_with_its_own_code(cli: Cli, host: FakeHost) -> None:
    result = cli("monitor", "--for", "0.7", "--no-input")  # the stream runs, and no block has come for half a second
    assert result.code == 9


def test_tone_is_queued_and_shown(cli: Cli, host: FakeHost) -> None:
    told = cli("monitor", "--once", "--json", "--tone", "440", "--for", "0.3").json
    assert told["playing"] == "a tone of 440 Hz"
    assert told["output"]["sources"][0]["queued_s"] > 0.0


def test_file_is_queued_over_and_over(cli: Cli, host: FakeHost, tmp_path: Path) -> None:
    with WavWriter(tmp_path / "beep.wav", 16000, 1) as writer:
        writer.write(np.full((1600, 1), 0.1, np.float32))
    told = cli("monitor", "--once", "--json", "--play", tmp_path / "beep.wav", "--for", "0.5").json
    assert told["playing"] == "beep.wav"
    assert told["output"]["sources"][0]["queued_s"] > 0.1


def test_headset_in_telephone_quality_is_named_with_what_avoids_it(
    cli: Cli, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = TelephoneQuality("Buds", 16000, 1, ("built in",))
    monkeypatch.setattr(afresh, "check_headset", lambda microphone, earpiece: found)
    told = cli("monitor", "--once", "--json").json
    problem = told["problems"][0]
    assert (told["health"], problem["name"], problem["what"]) == ("warning", "output-telephone", found.problem)
    assert "'built in'" in problem["mend"]


@pytest.mark.parametrize(("arguments", "times"), [((), 1), (("--through",), 0), (("--no-input",), 0)])
def test_playback_yields_as_in_live_but_not_to_what_is_played_through(
    cli: Cli, host: FakeHost, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], times: int
) -> None:
    connected: list[object] = []
    monkeypatch.setattr(wiring, "connect_reflex", lambda *parts: connected.append(parts))
    assert cli("monitor", "--once", *arguments).code == 0
    assert len(connected) == times


def test_interrupt_is_how_it_ends(cli: Cli, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = itertools.count()
    take = command._look

    def interrupted(*sides: object) -> object:
        if next(looks) == 2:
            raise KeyboardInterrupt
        return take(*sides)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "_look", interrupted)
    result = cli("monitor")
    assert (result.code, result.err) == (0, "")
    assert all("close" in stream.calls for stream in host.streams)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tone", "440", "--through"), "--tone and --through exclude one another"),
        (("--tone", "440", "--no-output"), "--tone needs the output that --no-output leaves closed"),
        (("--through", "--no-input"), "--through needs the input that --no-input leaves closed"),
        (("--no-input", "--no-output"), "leave nothing to watch"),
        (("--tone", "5"), "5.0 is not in the range 20<=x<=20000"),
        (("--for", "0"), "0.0 is not in the range x>0"),
    ],
)
def test_wrong_usage_opens_nothing(cli: Cli, host: FakeHost, arguments: tuple[str, ...], said: str) -> None:
    result = cli("monitor", *arguments)
    assert result.code == 2
    assert said in result.err
    assert host.streams == []


def test_device_that_is_not_there_is_an_error_as_in_live(cli: Cli, host: FakeHost) -> None:
    result = cli("monitor", "--output", "nowhere")
    assert (result.code, result.out) == (6, "")
    assert result.err.startswith("error: no output devices fit 'nowhere'; there are: 0 'first'")
    host.listed = ()
    result = cli("monitor")
    assert (result.code, result.err.splitlines()[0]) == (6, "error: there is no input device")
    assert result.err.endswith("; --no-input leaves it closed\n")


def test_recording_that_cannot_be_read_is_told_before_a_device_is_opened(cli: Cli, host: FakeHost) -> None:
    result = cli("monitor", "--play", "nowhere.wav")
    assert (result.code, host.streams) == (4, [])
    assert "there is no file nowhere.wav" in result.err


def test_tone_is_one_sine_however_long_it_sounds() -> None:
    chunks = list(itertools.islice(sound.tone(441.0, 44100), 50))
    whole = np.concatenate(chunks)
    assert np.abs(whole).max() == pytest.approx(10 ** (-30 / 20), rel=1e-3)
    assert np.allclose(whole[:100], whole[-100:], atol=1e-5)
    assert np.abs(np.diff(whole)).max() < 2 * np.pi * 441 / 44100 * 10 ** (-30 / 20) * 1.01


def test_what_the_microphone_hears_is_played_at_the_outputs_rate(tmp_path: Path) -> None:
    host = FakeHost()
    path = tmp_path / "heard.wav"
    with Recorder(16000, host=host) as recorder, Player(48000, 1, output=WavOutput(path, paced=True)) as player:
        voice = player.open_source(prebuffer_s=0.02)
        through = sound.Through(recorder, voice, 0.02)
        for start in range(0, 6400, 320):
            turns = 500 / 16000 * np.arange(start, start + 320)
            wait_for(lambda: voice.queued_s < 0.07)
            through.take((0.5 * np.sin(2 * np.pi * turns)).astype(np.float32))
        wait_for(lambda: voice.played_s > 0.3)
    y, samplerate = soundfile.read(path)
    played = y[np.argmax(np.abs(y) > 0.1) :][:9600]
    assert samplerate == 48000
    assert np.argmax(np.abs(np.fft.rfft(played * np.hanning(9600)))) * 5 == 500
