"""The contract of a host, which both ways into PortAudio keep on the virtual sound card."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from sottovoce.audio.devices import select_device
from sottovoce.audio.host import Device, Kind, StreamRequest
from sottovoce.audio.libportaudio import INVALID_CHANNEL_COUNT, INVALID_DEVICE, LibPortAudio
from sottovoce.audio.portaudio import PortAudioHost, choose_way, portaudio_host, portaudio_status
from sottovoce.core.errors import HostAudioError
from sottovoce.native.callback import CaptureCallback, PlaybackCallback
from sottovoce.native.mixer import Mixer
from sottovoce.native.ring import Ring
from sottovoce.native.stream_core import StreamCallback
from tests.support.soundcard import SoundCard, wait_until

pytestmark = pytest.mark.device

LATENCY_S = 0.1


@pytest.fixture
def host(sound_card: SoundCard, way: str) -> PortAudioHost:
    return portaudio_host()


def device_named(host: PortAudioHost, name: str, kind: Kind = "output") -> Device:
    return select_device(host.devices(), name, kind)


def request_for(device: Device, callback: StreamCallback, kind: Kind = "output", **changes: object) -> StreamRequest:
    wanted: dict[str, object] = {
        "kind": kind,
        "device_id": device.id,
        "device_name": device.name,
        "samplerate": 48000,
        "channels": 2,
        "blocksize": 256,
        "latency_s": LATENCY_S,
        "callback_address": callback.address,
        "finished_address": callback.finished_address,
        "userdata": callback.userdata,
    }
    return StreamRequest(**{**wanted, **changes})  # type: ignore[arg-type]


def playback() -> tuple[Mixer, PlaybackCallback]:
    mixer = Mixer(48000, 2)
    return mixer, PlaybackCallback(mixer, 1)


def test_the_way_asked_for_is_the_way_taken(host: PortAudioHost, way: str) -> None:
    assert host.way == way
    assert portaudio_status().way == way
    assert portaudio_status().version.startswith("PortAudio V19")


def test_devices_are_listed_alike(host: PortAudioHost, sound_card: SoundCard) -> None:
    import sounddevice

    listed = host.devices()
    assert {device.name for device in listed} >= {"vs48", "vs44", "default"}
    for device, info in zip(listed, sounddevice.query_devices(), strict=True):
        assert (device.id, device.name) == (info["index"], info["name"])
        assert device.host_api == sounddevice.query_hostapis(info["hostapi"])["name"]
        assert (device.input_channels, device.output_channels) == (
            info["max_input_channels"],
            info["max_output_channels"],
        )
        assert device.default_samplerate == info["default_samplerate"]
        assert device.low_input_latency_s == info["default_low_input_latency"]
        assert device.high_input_latency_s == info["default_high_input_latency"]
        assert device.low_output_latency_s == info["default_low_output_latency"]
        assert device.high_output_latency_s == info["default_high_output_latency"]
    defaults = sounddevice.query_hostapis(0)
    assert [device.id for device in listed if device.default_input] == [defaults["default_input_device"]]
    assert [device.id for device in listed if device.default_output] == [defaults["default_output_device"]]


def test_stream_plays_what_the_mixer_has(host: PortAudioHost, sound_card: SoundCard) -> None:
    mixer, callback = playback()
    source = mixer.add_source(48000, 2, 9600, 0)
    source.write(np.full((4800, 2), 0.25, np.float32), source.generation)
    recording = sound_card.record()
    stream = host.open(request_for(device_named(host, "vs48"), callback))
    assert callback.counters()["blocks"] == 0, "nothing is called before the start"
    assert stream.samplerate == 48000
    assert 0.0 < stream.latency_s < 1.0
    stream.start()
    wait_until(lambda: callback.counters()["frames"] > 48000 // 2, 10.0, "blocks")
    assert not callback.finished
    stream.abort()
    assert callback.finished, "said by the finished callback"
    stream.close()
    y = recording.stop()
    assert np.count_nonzero(y[:, 0] > 0.2) > 4000


def test_stream_captures(host: PortAudioHost, sound_card: SoundCard) -> None:
    ring = Ring(96000, 2)
    callback = CaptureCallback(ring, 48000, 2, 48000, 1)
    stream = host.open(request_for(device_named(host, "default", "input"), callback, "input"))
    stream.start()
    wait_until(lambda: ring.readable_frames > 9600, 10.0, "blocks")
    stream.abort()
    stream.close()
    assert callback.finished


def test_closing_twice_does_nothing_and_an_aborted_stream_may_start_again(host: PortAudioHost) -> None:
    _, callback = playback()
    stream = host.open(request_for(device_named(host, "vs48"), callback))
    stream.start()
    stream.abort()
    blocks = callback.counters()["blocks"]
    stream.start()
    wait_until(lambda: callback.counters()["blocks"] > blocks, 10.0, "blocks")
    stream.close()
    stream.close()
    for call in (stream.start, stream.abort):
        with pytest.raises(HostAudioError, match="Invalid stream pointer"):
            call()
    assert host.refresh(), "no stream is open"


def test_devices_are_not_looked_for_while_a_stream_is_open(host: PortAudioHost) -> None:
    _, callback = playback()
    stream = host.open(request_for(device_named(host, "vs48"), callback))
    stream.start()
    assert not host.refresh()
    wait_until(lambda: callback.counters()["blocks"] > 10, 10.0, "blocks")
    stream.close()
    assert host.refresh()


def test_refused_formats_are_errors_that_say_why(host: PortAudioHost) -> None:
    device = device_named(host, "vs48")
    _, callback = playback()
    for changes, code in (
        ({"channels": 65}, INVALID_CHANNEL_COUNT),
        ({"channels": 0}, INVALID_CHANNEL_COUNT),
        ({"samplerate": 1}, None),
    ):
        with pytest.raises(HostAudioError, match="cannot open output device") as refused:
            host.open(request_for(device, callback, **changes))
        assert refused.value.pa_code == (code or refused.value.pa_code) < 0
    assert host.supports("output", device.id, 48000, 2)
    assert not host.supports("output", device.id, 48000, 65)
    assert not host.supports("output", 999, 48000, 2)
    assert host.refresh(), "nothing was left open"


@pytest.mark.parametrize(("number", "name"), [(999, "vs48"), (-1, "vs48"), (0, "a device that was there before")])
def test_device_that_is_gone_is_an_error_and_no_other_is_opened(host: PortAudioHost, number: int, name: str) -> None:
    _, callback = playback()
    request = request_for(device_named(host, "vs48"), callback, device_id=number, device_name=name)
    with pytest.raises(HostAudioError, match=f"{number} '{name}'.*not there any more") as refused:
        host.open(request)
    assert refused.value.pa_code == INVALID_DEVICE
    assert refused.value.hint


def test_stream_of_a_sink_that_was_unplugged_cannot_be_opened(host: PortAudioHost, sound_card: SoundCard) -> None:
    device = device_named(host, "vs44")
    sound_card.kill("vs44")
    _, callback = playback()
    with pytest.raises(HostAudioError, match="vs44") as refused:
        host.open(request_for(device, callback, samplerate=44100)).start()
    assert refused.value.pa_code < 0


def test_streams_open_and_close_on_many_threads_at_once(host: PortAudioHost) -> None:
    device = device_named(host, "vs48")
    failures: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(3):
                _, callback = playback()
                stream = host.open(request_for(device, callback))
                stream.start()
                stream.abort()
                stream.close()
        except HostAudioError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, name=f"opener-{number}") for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert host.refresh()


def test_library_that_is_no_portaudio_is_an_error(sound_card: SoundCard) -> None:
    with pytest.raises(OSError, match=r"libc\.so\.6 is no PortAudio: it lacks Pa_"):
        LibPortAudio("libc.so.6")


WAYS = """
import logging, sys
logging.basicConfig(format="%(levelname)s %(message)s")
import sounddevice
{change}
from sottovoce.audio.portaudio import choose_way, portaudio_host
choose_way({wanted!r})
try:
    print(portaudio_host().way, portaudio_host().way, len(portaudio_host().devices()) > 0)
except Exception as error:
    print(error, "|", error.hint)
"""


@pytest.mark.parametrize(
    ("wanted", "change", "expected"),
    [
        ("auto", "", "sounddevice sounddevice True"),
        ("ctypes", "del sounddevice._StreamBase", "ctypes ctypes True"),
        ("auto", "del sounddevice._StreamBase", "ctypes ctypes True"),
        ("auto", "sounddevice._StreamBase = type('Other', (), {'__init__': lambda self, kind: None})", "ctypes ctypes"),
        ("auto", "del sounddevice._ffi, sounddevice._libname", "ctypes ctypes True"),
        ("sounddevice", "del sounddevice._ffi", "sounddevice._ffi is gone | set audio.portaudio to 'ctypes'"),
    ],
)
def test_changed_sounddevice_is_passed_by(sound_card: SoundCard, wanted: str, change: str, expected: str) -> None:
    code = WAYS.format(wanted=wanted, change=change)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert expected in done.stdout
    told = done.stderr.count("sounddevice has changed: its library is used directly")
    assert told == (wanted == "auto" and change != ""), done.stderr


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match=r"portaudio is 'jack'; allowed: 'auto'"):
        choose_way("jack")  # type: ignore[arg-type]
