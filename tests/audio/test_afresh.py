"""Another process looks at the devices while streams are open here."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from typing import Any

import pytest

from sottovoce.audio import afresh
from sottovoce.audio.host import Device
from tests.audio.fakes import FakeHost, make_device

STEREO = dataclasses.replace(make_device(1, "AirPods Pro"), input_channels=0)
MONO = dataclasses.replace(STEREO, output_channels=1, default_samplerate=16000)
OTHER = dataclasses.replace(make_device(2, "desk microphone"), output_channels=0)


class OtherProcess:
    """Stands for ``subprocess.run``; sees what the test says, or fails as it says."""

    def __init__(self) -> None:
        self.seen: tuple[Device, ...] = ()
        self.failure: Exception | None = None
        self.runs = 0

    def run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.runs += 1
        assert command == [sys.executable, "-m", "sottovoce.audio.afresh"]
        if self.failure:
            raise self.failure
        text = afresh.as_text(self.seen)
        return subprocess.CompletedProcess(command, 0, stdout=text)


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> OtherProcess:
    other = OtherProcess()
    monkeypatch.setattr("sottovoce.audio.afresh.subprocess.run", other.run)
    monkeypatch.setattr("sottovoce.audio.afresh.portaudio_host", lambda: FakeHost(STEREO, OTHER))
    return other


def test_what_the_other_process_sees_comes_back_whole(other: OtherProcess) -> None:
    other.seen = (MONO, OTHER)
    assert afresh.devices_afresh() == (MONO, OTHER)


@pytest.mark.parametrize(
    "failure",
    [OSError("no such program"), subprocess.TimeoutExpired("python", 5.0), subprocess.CalledProcessError(1, "python")],
)
def test_process_that_cannot_look_sees_nothing(other: OtherProcess, failure: Exception) -> None:
    other.failure = failure
    assert afresh.devices_afresh() == ()


def test_headset_that_has_fallen_is_told_once_with_advice(
    other: OtherProcess, caplog: pytest.LogCaptureFixture
) -> None:
    other.seen = (MONO, OTHER)
    with caplog.at_level(logging.WARNING, "sottovoce.audio"):
        found = afresh.check_headset("AirPods Pro", "AirPods Pro")
    assert found is not None
    assert (found.samplerate, found.channels, found.others) == (16000, 1, ("desk microphone",))
    (record,) = caplog.records
    assert "telephone quality" in record.message
    assert "desk microphone" in record.message


def test_headset_that_keeps_its_quality_is_not_mentioned(other: OtherProcess, caplog: pytest.LogCaptureFixture) -> None:
    other.seen = (STEREO, OTHER)
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
