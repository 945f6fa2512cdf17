"""What the tiers do to sound, measured as the benchmark measures it, at the levels that their names promise."""

from __future__ import annotations

from typing import cast

import pytest

from bench.resample_peers import Stream
from bench.resample_quality import Quality, measure
from sottovoce.audio import resampler

PAIRS = [(24000, 48000), (22050, 48000), (16000, 48000), (44100, 48000), (48000, 44100), (48000, 16000)]


def measured(tier: resampler.Quality, rates: tuple[int, int]) -> Quality:
    def make(in_samplerate: int, out_samplerate: int, channels: int) -> Stream:
        return cast("Stream", resampler.Resampler(in_samplerate, out_samplerate, channels, tier))

    return measure(make, rates)


@pytest.mark.parametrize("rates", [*PAIRS, (44100, 48001)], ids=str)
@pytest.mark.parametrize(
    ("tier", "worst_db", "ripple_db", "edge"),
    [("standard", -100.0, 0.016, 0.90), ("hq", -133.0, 0.002, 0.92), ("best", -148.0, 0.0003, 0.93)],
)
def test_tier_is_as_clean_as_it_says(
    rates: tuple[int, int], tier: resampler.Quality, worst_db: float, ripple_db: float, edge: float
) -> None:
    quality = measured(tier, rates)
    assert quality.worst_db <= worst_db
    assert quality.ripple_db <= ripple_db
    assert quality.edge >= edge
    assert quality.chunk_invariant


@pytest.mark.parametrize("rates", PAIRS, ids=str)
def test_every_call_gives_the_same_number_of_frames_and_late_by_the_latency(rates: tuple[int, int]) -> None:
    quality = measured("hq", rates)
    assert quality.burst_frames <= 1  # 22050 Hz has no whole frames in 10 ms
    latency_ms = 1e3 * resampler.Resampler(*rates, 1, "hq").latency
    assert quality.latency_ms <= latency_ms + 0.05
    assert quality.latency_ms >= latency_ms - 1e3 / rates[1] - 0.05


def test_measure_finds_a_resampler_that_is_bad() -> None:
    quality = measured("linear", (44100, 48000))
    assert quality.worst_db > -20
    assert quality.ripple_db > 3
