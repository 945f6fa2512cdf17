"""Exit 0 if every WAV file named on the command line holds speech by the measure of the WebRTC VAD, else 1."""

from __future__ import annotations

import sys

import numpy as np
import soundfile
import soxr
import webrtcvad

LEAST_SPEECH_S = 3.0
VAD_SAMPLERATE = 16000
VAD_BLOCKSIZE = 480


def speech_s(path: str) -> float:
    """Seconds of the file that the VAD, in its strictest mode, takes for speech."""
    audio, samplerate = soundfile.read(path, dtype="int16", always_2d=True)
    mono = soxr.resample(audio.mean(axis=1).astype(np.int16), samplerate, VAD_SAMPLERATE)
    vad = webrtcvad.Vad(3)
    blocks = mono[: len(mono) // VAD_BLOCKSIZE * VAD_BLOCKSIZE].reshape(-1, VAD_BLOCKSIZE)
    return sum(vad.is_speech(block.tobytes(), VAD_SAMPLERATE) for block in blocks) * VAD_BLOCKSIZE / VAD_SAMPLERATE


def main(paths: list[str]) -> int:
    """Print the speech in every file, and judge."""
    found = {path: speech_s(path) for path in paths}
    for path, seconds in found.items():
        sys.stdout.write(f"{path}: {seconds:.1f} s of speech\n")
    return 0 if found and min(found.values()) >= LEAST_SPEECH_S else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
