"""The metrics: what they are called, and that the documentation tells of all of them.

`python -m tests.metrics.test_catalogue` renews the table in docs/metrics.md.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sottovoce.metrics.catalogue import CATALOGUE, NATIVE_BORDERS_NS, Kind, Metric, as_markdown
from sottovoce.metrics.registry import Distribution
from sottovoce.native.telemetry import Histogram

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
BEGIN, END = "<!-- every metric: made by tests/metrics/test_catalogue.py -->\n", "<!-- end -->\n"

ALL = [metric for metrics in CATALOGUE.values() for metric in metrics]


def with_table(page: str) -> str:
    """The page with the table as it has to be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{as_markdown()}\n{END}{after}"


def test_documentation_tells_of_every_metric() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page), "renew it: python -m tests.metrics.test_catalogue"


def test_no_name_stands_twice() -> None:
    assert len({metric.name for metric in ALL}) == len(ALL)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_metric_says_in_a_sentence_what_it_tells(metric: Metric) -> None:
    assert re.fullmatch(r"[A-Z0-9].*\.", metric.help)
    assert len(metric.help) <= 110


@pytest.mark.parametrize(
    ("name", "kind", "buckets"),
    [
        ("turns_total", Kind.COUNTER, ()),
        ("sottovoce_turns", Kind.COUNTER, ()),
        ("sottovoce_turns_total", Kind.GAUGE, ()),
        ("sottovoce_latency", Kind.GAUGE, ()),
        ("sottovoce_latency_ms", Kind.GAUGE, ()),
        ("sottovoce_Latency_seconds", Kind.GAUGE, ()),
        ("sottovoce_latency_seconds", Kind.HISTOGRAM, ()),
        ("sottovoce_latency_seconds", Kind.HISTOGRAM, (2.0, 1.0)),
        ("sottovoce_latency_seconds", Kind.GAUGE, (1.0,)),
    ],
)
def test_metric_that_breaks_the_rules_is_refused(name: str, kind: Kind, buckets: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=name):
        Metric(name, kind, "It is.", (), buckets)


def test_borders_are_those_of_the_engine_so_nothing_is_counted_on_the_wrong_side() -> None:
    native = Histogram()
    for border in NATIVE_BORDERS_NS:
        native.record(border - 1)
        native.record(border)
    told = Distribution.of_native(native.buckets(), native.sum_ns)
    # each border closes one bucket, and opens the next
    assert told.counts == (1, *[2] * (len(NATIVE_BORDERS_NS) - 1), 1)
    assert told.total == pytest.approx(sum(2 * border - 1 for border in NATIVE_BORDERS_NS) / 1e9)


def test_nothing_is_lost_below_and_above_the_borders() -> None:
    native = Histogram()
    for value_ns in (0, 1, 4000, 10**9, 10**12):
        native.record(value_ns)
    told = Distribution.of_native(native.buckets(), native.sum_ns)
    assert (told.counts[0], told.counts[-1], sum(told.counts)) == (3, 2, 5)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
