"""Every instruction set gives the same bits."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sottovoce.native import convert

# Runs every kernel over awkward lengths and prints a digest of all output.
DIGEST = """
import hashlib
import numpy as np
from sottovoce.native import callback, channels, convert, gain, mixer, resample
from tests.native.portaudio import play
digest = hashlib.sha256()
rng = np.random.default_rng(5)
for frames in (1, 7, 8, 9, 31, 64, 100, 1000):
    for count in (1, 2, 3):
        x = rng.uniform(-1.2, 1.2, (frames, count)).astype(np.float32)
        x.flat[::17] = np.nan
        whole = np.empty(x.shape, np.int16)
        convert.float32_to_int16(x, whole)
        back = np.empty_like(x)
        convert.int16_to_float32(whole, back)
        ramped = back.copy()
        gain.ramp_gain(ramped, 0.3, 0.9)
        other = np.empty((frames, 3 - count if count < 3 else 2), np.float32)
        channels.mix_channels(back, other)
        for rates in ((44100, 48000), (48000, 16000), (24000, 48000), (48000, 44100)):
            resampler = resample.LinearResampler(*rates, count)
            y = np.empty((resampler.out_frames(frames), count), np.float32)
            resampler.process_into(back, y)
            digest.update(y.tobytes())
        mixed = mixer.Mixer(48000, count)
        source = mixed.add_source(48000, count, 1024)
        source.set_gain(3.0, 0.01)
        source.write(x, 0)
        y = np.empty((frames, count), np.float32)
        mixed.render_into(y)
        played = callback.PlaybackCallback(mixed, 0)
        source.write(x, 0)
        play(played, frames)
        digest.update(np.array([played.peak, played.rms]).tobytes())
        settled = mixer.Mixer(48000, count)
        straight = [settled.add_source(48000, count, 1024) for _ in range(2)]
        straight[1].set_gain(0.3, 0.0)
        summed = np.empty((4 * frames, count), np.float32)
        for block in np.split(summed, 4):
            for source in straight:
                source.write(back, 0)
            settled.render_into(block)
        for array in (whole, back, ramped, other, y, summed):
            digest.update(array.tobytes())
print(convert.isa(), digest.hexdigest())
"""


def digest_of(isa: str) -> str:
    environment = os.environ | {"SOTTOVOCE_ISA": isa}
    done = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True)
    used, digest = done.stdout.split()
    assert used == isa
    return digest


def test_all_instruction_sets_give_the_same_bits() -> None:
    isas = convert.available_isas()
    if len(isas) == 1:
        pytest.skip("this machine runs only the baseline; an x86-64 machine with AVX2 would compare two")
    assert len({digest_of(isa) for isa in isas}) == 1
