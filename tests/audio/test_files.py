"""Recordings of every kind that people have, and everything that is no recording."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sottovoce.audio.files import AudioFile
from sottovoce.core.errors import AudioFileError, BackendUnavailableError, ConfigError


def sine(seconds: float, samplerate: int, frequency_hz: float = 440.0, from_s: float = 0.0) -> np.ndarray:
    times = np.arange(round(seconds * samplerate)) / samplerate + from_s
    return (0.5 * np.sin(2 * np.pi * frequency_hz * times)).astype("f4")


def difference_db(heard: np.ndarray, expected: np.ndarray) -> float:
    """Of the middle, away from the edges of the resampler's filter."""
    middle = slice(len(expected) // 10, -len(expected) // 10)
    error = heard[middle] - expected[middle]
    return float(10 * np.log10(np.mean(error**2) / np.mean(expected[middle] ** 2) + 1e-20))


@pytest.mark.parametrize("samplerate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_channel_count_becomes_mono_at_the_rate_wanted(
    tmp_path: Path, samplerate: int, channels: int
) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, np.repeat(sine(1.0, samplerate)[:, None], channels, axis=1), samplerate, "FLOAT")
    with AudioFile(path) as audio:
        heard = audio.read()
        assert (audio.source_samplerate, audio.source_channels, audio.duration_s) == (samplerate, channels, 1.0)
        assert audio.progress == 1.0
    assert abs(len(heard) - 16000) <= 1
    assert heard.dtype == np.float32
    # a frame is an interval: the middles of both streams agree, not the beginnings
    expected = sine(1.0, 16000, from_s=0.5 / 16000 - 0.5 / samplerate)
    assert difference_db(heard[:15999], expected[:15999]) < -60


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("x.wav", "PCM_U8"), ("x.wav", "PCM_16"), ("x.wav", "PCM_24"), ("x.wav", "FLOAT"), ("x.flac", "PCM_16"),
     ("x.ogg", "VORBIS"), ("x.mp3", "MPEG_LAYER_III")],
)  # fmt: skip
def test_any_format(tmp_path: Path, name: str, subtype: str) -> None:
    path = tmp_path / name
    soundfile.write(path, sine(1.0, 48000), 48000, subtype)
    with AudioFile(path) as audio:
        heard = audio.read()
        assert audio.subtype == subtype
        assert not audio.warning
    # MP3 pads with a frame or two at either end
    assert 16000 - 1 <= len(heard) <= 16000 + 1200
    spectrum = np.abs(np.fft.rfft(heard[4000:12000]))
    assert np.argmax(spectrum) == 220, "440 Hz in steps of 2 Hz"


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, np.stack([sine(0.5, 16000), sine(0.5, 16000) / 2], axis=1), 16000, "FLOAT")
    with AudioFile(path) as audio:
        assert np.allclose(audio.read(), 0.75 * sine(0.5, 16000), atol=1e-7)


@pytest.mark.parametrize("chunk_s", [0.01, 0.037, 10.0])
def test_chunk_size_does_not_change_the_sound(tmp_path: Path, chunk_s: float) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, sine(2.0, 44100), 44100, "FLOAT")
    with AudioFile(path) as whole, AudioFile(path, chunk_s=chunk_s) as cut:
        chunks = list(cut)
        assert np.array_equal(np.concatenate(chunks), whole.read())
    assert all(chunk.size for chunk in chunks)


def test_position_goes_on_while_reading(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, sine(1.0, 16000), 16000)
    with AudioFile(path, chunk_s=0.25) as audio:
        assert [audio.position_s for _ in audio] == [0.25, 0.5, 0.75, 1.0]


def test_cut_wav_is_read_as_far_as_it_goes_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, sine(1.0, 16000), 16000, "PCM_16")
    path.write_bytes(path.read_bytes()[: 44 + 2 * 6000])
    with AudioFile(path) as audio:
        assert audio.truncated
        assert "ends early" in audio.warning
        assert len(audio.read()) == 6000


@pytest.mark.parametrize("name", ["x.flac", "x.ogg"])
def test_cut_compressed_file_is_read_as_far_as_it_goes_and_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rng = np.random.default_rng(1)
    soundfile.write(path, (0.1 * rng.standard_normal(64000)).astype("f4"), 16000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with AudioFile(path) as audio:
        heard = audio.read()
    assert 16000 < len(heard) < 64000
    if name == "x.flac":  # an Ogg file does not tell its length before its last page
        assert audio.truncated


def test_wav_from_a_pipe_has_no_length_and_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, sine(1.0, 16000), 16000, "PCM_16")
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    with AudioFile(path) as audio:
        assert not audio.warning
        assert len(audio.read()) == 16000


def test_samples_that_are_no_numbers_become_silence(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    x = sine(1.0, 16000)
    x[100], x[200] = np.nan, np.inf
    soundfile.write(path, x, 16000, "FLOAT")
    with AudioFile(path) as audio:
        heard = audio.read()
        assert audio.warning == "2 samples are no numbers and became silence"
    assert np.isfinite(heard).all()
    assert (heard[100], heard[200]) == (0.0, 0.0)


def write_bad(folder: Path, kind: str) -> Path:
    path = folder / "bad.wav"
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("# Not a recording\n" * 40)
    elif kind == "no frames":
        soundfile.write(path, np.empty(0, "f4"), 16000)
    elif kind == "header only":
        path.write_bytes(b"RIFF\x24\x00\x00\x00WAVE")
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [("missing", "there is no file"), ("folder", "is a folder"), ("empty", "is empty"), ("text", "is not audio"),
     ("no frames", "holds no audio"), ("header only", "is not audio")],
)  # fmt: skip
def test_what_is_no_recording_is_an_error_with_a_hint(tmp_path: Path, kind: str, words: str) -> None:
    path = write_bad(tmp_path, kind)
    with pytest.raises(AudioFileError, match=words) as caught:
        AudioFile(path)
    assert caught.value.hint
    assert caught.value.path == path
    assert "bad.wav" in str(caught.value)


def test_bad_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="samplerate is 0"):
        AudioFile(tmp_path / "x.wav", samplerate=0)
    with pytest.raises(ConfigError, match="chunk_s is 0"):
        AudioFile(tmp_path / "x.wav", chunk_s=0)


def test_without_soundfile_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, sine(0.1, 16000), 16000)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(BackendUnavailableError) as caught:
        AudioFile(path)
    assert caught.value.install_hint == "pip install 'sottovoce[offline]'"


_READ_IT_ALL = """
import resource, sys
from sottovoce.audio.files import AudioFile
frames = 0
with AudioFile(sys.argv[1]) as audio:
    for number, chunk in enumerate(audio):
        frames += chunk.size
        if number == 50:
            early_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - early_kib)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the resource module of a Unix")
def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    minute = sine(60.0, 8000)
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_U8") as file:
        for _ in range(60):
            file.write(minute)
    done = subprocess.run([sys.executable, "-c", _READ_IT_ALL, str(path)], capture_output=True, text=True, check=True)
    frames, grown_kib = map(int, done.stdout.split())
    assert abs(frames - 3600 * 16000) <= 1
    assert grown_kib < 4096, "an hour at 16 kHz would be 230 MB"
