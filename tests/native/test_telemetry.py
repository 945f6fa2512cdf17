from __future__ import annotations

import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.native.telemetry import Histogram, now_ns

durations = st.lists(st.integers(0, 1 << 42), min_size=1, max_size=200)


@given(durations, st.floats(0.0, 100.0))
def test_percentile_is_at_most_a_sixteenth_too_high(values: list[int], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    ordered = sorted(values)
    exact = next(v for rank, v in enumerate(ordered, 1) if rank >= percent / 100 * len(values))
    assert exact <= histogram.percentile_ns(percent) <= exact + exact / 16


@given(durations)
def test_counts_sum_and_maximum_are_exact(values: list[int]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    assert histogram.count == len(values) == sum(count for _, count in histogram.buckets())
    assert histogram.max_ns == max(values)
    assert histogram.sum_ns == sum(values)
    limits = [limit for limit, _ in histogram.buckets()]
    assert limits == sorted(set(limits))


def test_octave_has_sixteen_buckets() -> None:
    histogram = Histogram()
    for value in range(1024, 2048):
        histogram.record(value)
    assert [count for _, count in histogram.buckets()] == [64] * 16


def test_empty_histogram_has_nothing() -> None:
    histogram = Histogram()
    assert (histogram.count, histogram.max_ns, histogram.percentile_ns(99), histogram.buckets()) == (0, 0, 0, [])


def test_values_beyond_the_last_bucket_are_kept_in_it() -> None:
    histogram = Histogram()
    histogram.record(1 << 50)
    assert histogram.max_ns == 1 << 50
    assert histogram.count == sum(count for _, count in histogram.buckets()) == 1


@pytest.mark.parametrize("value", [-1, 1 << 64, 1.5])
def test_value_that_is_no_duration_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="value_ns is"):
        Histogram().record(value)


@pytest.mark.parametrize("percent", [-0.1, 100.1, float("nan")])
def test_percent_out_of_range_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match=r"it must be in 0\.\.100"):
        Histogram().percentile_ns(percent)


def test_snapshot_during_recording_is_consistent() -> None:
    histogram = Histogram()

    def record() -> None:
        for value in range(200_000):
            histogram.record(value % 5000)

    writer = threading.Thread(target=record, name="writer")
    writer.start()
    seen = 0
    while writer.is_alive():
        before = histogram.count
        counted = sum(count for _, count in histogram.buckets())
        assert seen <= before <= counted <= histogram.count + 1
        seen = before
    writer.join()
    assert histogram.count == 200_000


@pytest.mark.skipif(
    sys.platform == "win32" and sys.version_info < (3, 13), reason="Python 3.13 brings Windows' precise clock"
)
def test_clock_is_that_of_python() -> None:
    before = time.monotonic_ns()
    now = now_ns()
    assert before <= now <= time.monotonic_ns()
