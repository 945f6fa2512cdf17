"""What the capture callback takes for speech."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sottovoce.audio.files import AudioFile
from sottovoce.native.activity import Activity
from sottovoce.native.callback import CaptureCallback
from sottovoce.native.mixer import Mixer
from sottovoce.native.ring import Ring
from tests.native.arrays import Float, noise, sine
from tests.native.portaudio import capture
from tests.support.shared import manifest, shared_data

RATE = 48_000
BLOCKSIZE = 256


class Ear:
    """A microphone that somebody wants to know about."""

    def __init__(self, samplerate: int = RATE, channels: int = 1, **configured: float) -> None:
        self.activity = Activity()
        self.activity.configure(**configured)
        self.mixer = Mixer(RATE, 2)
        self.mixer.yield_to(self.activity, 0.1)
        self.callback = CaptureCallback(Ring(128, 1), samplerate, channels, samplerate, 0, activity=self.activity)

    def hear(self, x: Float, blocksize: int = BLOCKSIZE) -> list[bool]:
        """Which blocks were taken for speech."""
        counted = [self.activity.counters()["active_blocks"]]
        for start in range(0, len(x), blocksize):
            capture(self.callback, x[start : start + blocksize])
            counted.append(self.activity.counters()["active_blocks"])
        return [bool(more) for more in np.diff(counted)]


def vowel(frames: int, samplerate: int = RATE, level: float = 0.1, channels: int = 1) -> Float:
    """Harmonics of 120 Hz that fall by 12 dB an octave, as those of a voice do."""
    t = np.arange(frames) / samplerate
    x = sum(np.sin(2 * np.pi * 120 * n * t + n) / n**2 for n in range(1, 25))
    return np.repeat((level * x / np.abs(x).max())[:, None], channels, axis=1).astype(np.float32)


def room(frames: int, channels: int = 1, level: float = 0.001) -> Float:
    """The noise of a quiet room."""
    return noise(frames, channels, level=level)


def clicks(seconds: float) -> Float:
    """Keys: each a burst of noise that rings at 3 kHz, far louder than speech."""
    rng, x = np.random.default_rng(3), room(round(seconds * RATE))
    k = np.arange(960)
    for start in range(RATE // 10, len(x) - 960, RATE // 7):
        ringing = 0.4 * np.exp(-k / 200) * np.sin(2 * np.pi * 3000 * k / RATE)
        x[start : start + 960, 0] += (ringing + 0.4 * np.exp(-k / 60) * rng.normal(size=960)).astype(np.float32)
    return x


@pytest.mark.parametrize("samplerate", [8000, 16_000, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_voice_counts_within_its_first_block(samplerate: int, channels: int) -> None:
    ear = Ear(samplerate, channels)
    blocksize = samplerate // 100
    assert not any(ear.hear(room(samplerate, channels), blocksize))
    spoken = ear.hear(vowel(samplerate, samplerate, channels=channels), blocksize)
    assert spoken[0]
    assert sum(spoken) > 0.95 * len(spoken)
    assert ear.activity.counters()["activations"] == 1


@given(st.integers(16, 1500))
@settings(max_examples=20, deadline=None)
def test_blocks_may_be_of_any_length(blocksize: int) -> None:
    ear = Ear()
    assert not any(ear.hear(room(RATE // 2), blocksize))
    spoken = ear.hear(vowel(RATE // 2), blocksize)
    assert any(spoken[: 1 + RATE // 200 // blocksize]), "not within 5 ms"


def test_noise_of_any_level_does_not_count() -> None:
    steps = [np.zeros((RATE // 2, 1), np.float32), *(noise(RATE, seed=i, level=10**-i) for i in (3, 2, 1, 0))]
    assert not any(Ear().hear(np.concatenate(steps)))


def test_clicks_do_not_count() -> None:
    assert not any(Ear().hear(clicks(3.0)))


def test_single_impulses_do_not_count() -> None:
    x = room(2 * RATE)
    x[RATE // 2 :: RATE // 5] = 0.9
    assert not any(Ear().hear(x))


def test_hum_counts_only_until_it_is_known() -> None:
    ear = Ear()
    ear.hear(room(RATE))
    heard = ear.hear(sine(12 * RATE, RATE, hz=300, level=0.02) + room(12 * RATE))
    assert heard[0]
    assert not any(heard[-len(heard) // 4 :])


def test_voice_below_the_threshold_does_not_count() -> None:
    quiet = np.concatenate([room(RATE, level=1e-4), vowel(RATE, level=0.01)])
    assert not any(Ear(threshold_dbfs=-30.0).hear(quiet))
    assert any(Ear(threshold_dbfs=-60.0).hear(quiet))


def test_voice_within_the_noise_does_not_count() -> None:
    drowned = np.concatenate([noise(3 * RATE, level=0.2), noise(RATE, level=0.2) + vowel(RATE, level=0.2)])
    assert not any(Ear().hear(drowned))


def test_rubbish_does_not_count_and_does_no_harm() -> None:
    ear = Ear()
    x = room(RATE)
    x[::100] = np.nan
    x[50::100] = np.inf
    ear.hear(x)
    ear.hear(room(RATE))
    assert any(ear.hear(vowel(RATE)))


def test_nothing_is_computed_until_somebody_wants_to_know() -> None:
    activity = Activity()
    callback = CaptureCallback(Ring(128, 1), RATE, 1, RATE, 0, activity=activity)
    capture(callback, vowel(RATE // 4))
    assert activity.counters() == {"activations": 0, "active_blocks": 0}
    mixers = [Mixer(RATE, 1) for _ in range(2)]
    for mixer in mixers:
        mixer.yield_to(activity)
    mixers[0].yield_to(None)
    assert activity.wanted
    capture(callback, vowel(RATE // 4))
    assert activity.counters()["active_blocks"] == 1
    mixers[1].yield_to(None)
    assert not activity.wanted


def test_hold_outlasts_speech() -> None:
    ear = Ear(hold_s=60.0)
    assert (ear.activity.until_ns, ear.activity.active) == (0, False)
    before_ns = time.monotonic_ns()
    ear.hear(vowel(BLOCKSIZE))
    assert before_ns < ear.activity.until_ns - 60_000_000_000 <= time.monotonic_ns()
    assert ear.activity.active
    ear.hear(room(RATE))
    assert ear.activity.active
    assert ear.activity.counters()["activations"] == 1


@pytest.mark.parametrize(
    ("configured", "words"),
    [
        ({"threshold_dbfs": 1.0}, "threshold_dbfs is 1.0; it must be -90..0"),
        ({"margin_db": -1.0}, "margin_db is -1.0; it must be 0..60"),
        ({"hold_s": float("nan")}, "hold_s is nan; it must be in seconds, 0..60"),
    ],
)
def test_settings_out_of_range_are_refused(configured: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Activity().configure(**configured)


def test_recorded_speech_counts() -> None:
    shares = {}
    for row in [*manifest("libri_test_other")[:8], *manifest("fsdd")[:8]]:
        with AudioFile(shared_data() / "speech" / row["file"], RATE) as file:
            heard = Ear().hear(np.concatenate([room(RATE, level=1e-4), file.read()[:, None]]))
        shares[row["file"]] = np.mean(heard)
    assert min(shares.values()) > 0.1, shares


def test_hum_that_is_known_stays_known_when_the_stream_is_opened_anew() -> None:
    def hum(frames: int) -> Float:
        return sine(frames, RATE, hz=300, level=0.02) + room(frames)

    ear = Ear()
    ear.hear(room(RATE))
    assert any(ear.hear(hum(12 * RATE)))
    known = CaptureCallback(Ring(128, 1), 44_100, 1, 44_100, 1, activity=ear.activity)
    counted = ear.activity.counters()["active_blocks"]
    x = hum(RATE)
    for start in range(0, len(x), BLOCKSIZE):
        capture(known, x[start : start + BLOCKSIZE])
    assert ear.activity.counters()["active_blocks"] == counted
    assert any(Ear().hear(x)), "to somebody new it is a voice"
