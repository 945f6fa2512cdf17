"""The registry in the format of Prometheus; needs the extra ``metrics``."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

from sottovoce.metrics.catalogue import Kind, Metric
from sottovoce.metrics.registry import Distribution, Reading, Registry


class Exposition:
    """Writes what a registry holds, and what the process takes of the machine."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._one_at_a_time = threading.Lock()
        self._collectors = CollectorRegistry(auto_describe=False)
        self._collectors.register(self)
        ProcessCollector(registry=self._collectors)
        PlatformCollector(registry=self._collectors)

    def collect(self) -> Iterator[Family]:
        """For prometheus-client: every metric with all that it says."""
        by_metric: dict[Metric, list[Reading]] = {}
        for reading in self._registry.readings():
            by_metric.setdefault(reading.metric, []).append(reading)
        for metric, readings in by_metric.items():
            yield _family(metric, readings)

    def page(self, accept: str) -> tuple[str, bytes]:
        """Content type and text, in the format that a scraper accepts. Whoever comes together waits for one another."""
        encode, content_type = choose_encoder(accept)
        with self._one_at_a_time:
            return content_type, encode(self._collectors)


def _family(metric: Metric, readings: Iterable[Reading]) -> Family:
    if metric.kind is Kind.HISTOGRAM:
        return _histogram(metric, readings)
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(metric.name.removesuffix("_total"), metric.help, labels=metric.labels)
    for reading in readings:
        assert not isinstance(reading.value, Distribution)
        family.add_metric(reading.labels, reading.value)
    return family


def _histogram(metric: Metric, readings: Iterable[Reading]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    borders = [*map(floatToGoString, metric.buckets), "+Inf"]
    for reading in readings:
        assert isinstance(reading.value, Distribution)
        up_to = accumulate(reading.value.counts)
        family.add_metric(reading.labels, list(zip(borders, up_to, strict=True)), reading.value.total)
    return family
