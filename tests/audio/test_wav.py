"""Files that are whole whatever happens to their writer."""

from __future__ import annotations

import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sottovoce.audio.wav import WavWriter
from sottovoce.core.errors import AudioFileError


def test_writer_file_appears_whole_when_closed(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    x = (np.random.default_rng(3).uniform(-1, 1, (1000, 2))).astype(np.float32)
    with WavWriter(path, 44100, 2) as writer:
        writer.write(x[:300])
        writer.write(x[300:])
        assert not path.exists()
    heard, samplerate = soundfile.read(path, dtype="int16")
    assert samplerate == 44100
    assert np.array_equal(heard, np.clip(np.round(x * 32768.0), -32768, 32767).astype(np.int16))
    assert list(tmp_path.iterdir()) == [path]


def test_writer_that_is_interrupted_leaves_its_part(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"what was there before")

    def write_and_be_interrupted() -> None:
        with WavWriter(path, 16000, 1) as writer:
            writer.write(np.zeros((16000, 1), np.float32))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_be_interrupted()
    assert path.read_bytes() == b"what was there before"
    assert soundfile.info(path.with_name("x.wav.part")).frames == 16000


def test_writer_that_cannot_write_says_where(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="no-such-folder"):
        WavWriter(tmp_path / "no-such-folder" / "x.wav", 16000, 1)


_WRITE_FOR_EVER = """
import sys, pathlib, numpy
from sottovoce.audio.wav import WavWriter
writer = WavWriter(pathlib.Path(sys.argv[1]), 16000, 1)
while True:
    writer.write(numpy.full((160, 1), 0.25, numpy.float32))
    if writer.frames == 80000:
        print("five seconds", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_writer_that_is_killed_leaves_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    process = subprocess.Popen([sys.executable, "-c", _WRITE_FOR_EVER, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with wave.open(str(tmp_path / "x.wav.part")) as file:
        assert file.getnframes() >= 80000
        assert file.getframerate() == 16000
        assert set(file.readframes(80000)) == {0x00, 0x20}
