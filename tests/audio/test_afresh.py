"""Another process looks at the devices while streams are open here."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
import threading
from typing import Any

import pytest

from sottovoce.audio import afresh
from tests.audio.fakes import FakeHost, make_device

STEREO = dataclasses.replace(make_device(1, "AirPods Pro"), input_channels=0)
MONO = dataclasses.replace(STEREO, output_channels=1, default_samplerate=16000)
OTHER = dataclasses.replace(make_device(2, "desk microphone"), output_channels=0)


class OtherProcess:
    """Stands for ``subprocess.Popen``; sees what the test says, or fails, or hangs."""

    def __init__(self) -> None:
        self.text = "[]"
        self.failure: Exception | None = None
        self.hangs = False
        self.runs = 0
        self.killed = False

    def popen(self, command: list[str], **_: Any) -> OtherProcess:
        self.runs += 1
        assert command == [sys.executable, "-m", "sottovoce.audio.afresh"]
        if self.failure:
            raise self.failure
        return self

    def __enter__(self) -> OtherProcess:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def communicate(self, timeout: float) -> tuple[str, None]:
        if self.hangs:
            raise subprocess.TimeoutExpired("python", timeout)
        return self.text, None

    def kill(self) -> None:
        self.killed = True


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> OtherProcess:
    other = OtherProcess()
    monkeypatch.setattr("sottovoce.audio.afresh.subprocess.Popen", other.popen)
    monkeypatch.setattr("sottovoce.audio.afresh.portaudio_host", lambda: FakeHost(STEREO, OTHER))
    return other


def test_what_the_other_process_sees_comes_back_whole(other: OtherProcess) -> None:
    other.text = afresh.as_text((MONO, OTHER))
    assert afresh.devices_afresh() == (MONO, OTHER)


def test_process_that_cannot_be_started_sees_nothing(other: OtherProcess) -> None:
    other.failure = OSError("no such program")
    assert afresh.devices_afresh() == ()


@pytest.mark.parametrize("text", ["", "Traceback", '[{"id": 1}]'])
def test_process_that_breaks_sees_nothing(other: OtherProcess, text: str) -> None:
    other.text = text
    assert afresh.devices_afresh() == ()


def test_process_that_hangs_is_ended_in_time_or_when_it_is_given_up(other: OtherProcess) -> None:
    other.hangs = True
    assert afresh.devices_afresh(0.01) == ()
    assert other.killed
    other.killed = False
    given_up = threading.Event()
    given_up.set()
    assert afresh.devices_afresh(3600.0, given_up) == ()
    assert other.killed


def test_headset_that_has_fallen_is_told_once_with_advice(
    other: OtherProcess, caplog: pytest.LogCaptureFixture
) -> None:
    other.text = afresh.as_text((MONO, OTHER))
    with caplog.at_level(logging.WARNING, "sottovoce.audio"):
        found = afresh.check_headset("AirPods Pro", "AirPods Pro")
    assert found is not None
    assert (found.samplerate, found.channels, found.others) == (16000, 1, ("desk microphone",))
    (record,) = caplog.records
    assert "telephone quality" in record.message
    assert "desk microphone" in record.message


def test_headset_that_keeps_its_quality_is_not_mentioned(other: OtherProcess, caplog: pytest.LogCaptureFixture) -> None:
    other.text = afresh.as_text((STEREO, OTHER))
    assert afresh.check_headset("AirPods Pro", "AirPods Pro") is None
    assert caplog.records == []


@pytest.mark.parametrize(("microphone", "earpiece"), [("desk microphone", "AirPods Pro"), ("default", "default")])
def test_no_process_is_started_where_there_is_nothing_to_fear(
    other: OtherProcess, microphone: str, earpiece: str
) -> None:
    assert afresh.check_headset(microphone, earpiece) is None
    assert other.runs == 0


@pytest.mark.slow
def test_process_that_really_looks_does_not_break() -> None:
    assert isinstance(afresh.devices_afresh(30.0), tuple)
