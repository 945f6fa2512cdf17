"""What is counted while a session runs, and who is asked for the rest when somebody wants to know."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from sottovoce.metrics.catalogue import NATIVE_BORDERS_NS, Kind, Metric

Labels: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a histogram holds.

    Attributes
    ----------
    counts : tuple of int
        Values that fell into each bucket of its metric, and last those above all of them.
    total : float
        Their sum.
    """

    counts: tuple[int, ...]
    total: float

    @classmethod
    def of_native(cls, buckets: Iterable[tuple[int, int]], sum_ns: int) -> Distribution:
        """From a histogram of the engine: the largest value (ns) of each bucket that is not empty, and how many."""
        counts = [0] * (len(NATIVE_BORDERS_NS) + 1)
        for largest_ns, count in buckets:
            # the first border that is above all values of the bucket
            counts[bisect_left(NATIVE_BORDERS_NS, largest_ns + 1)] += count
        return cls(tuple(counts), sum_ns / 1e9)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a metric says now, for these values of its labels."""

    metric: Metric
    value: float | Distribution
    labels: Labels = ()


#: Gives readings of this moment when it is asked; by any thread.
Source: TypeAlias = Callable[[], Iterable[Reading]]


class Registry:
    """Counts. Safe to use from any thread; nothing in it waits for whoever reads.

    What changes seldom is counted here as it happens; what is counted elsewhere anyway, as in the callbacks of the
    engine, is asked for by a source when somebody looks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[Metric, Labels], float] = {}
        self._histograms: dict[tuple[Metric, Labels], list[float]] = {}
        self._sources: tuple[Source, ...] = ()

    def begin(self, metric: Metric, *labels: str) -> None:
        """Let ``metric`` be there from now on, at nothing: the first event is then seen as a change."""
        key = _key(metric, labels)
        with self._lock:
            if metric.kind is Kind.HISTOGRAM:
                self._histograms.setdefault(key, _empty(metric))
            else:
                self._values.setdefault(key, 0.0)

    def count(self, metric: Metric, *labels: str, by: float = 1.0) -> None:
        """Something has happened, once or ``by`` times; at least 0."""
        key = _key(metric, labels)
        with self._lock:
            self._values[key] = self._values.get(key, 0.0) + by

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        """Something has this value now."""
        key = _key(metric, labels)
        with self._lock:
            self._values[key] = value

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Another value of a histogram."""
        key, bucket = _key(metric, labels), bisect_left(metric.buckets, value)
        with self._lock:
            held = self._histograms.get(key)
            if held is None:
                held = self._histograms[key] = _empty(metric)
            held[bucket] += 1
            held[-1] += value

    @contextmanager
    def asking(self, *sources: Source) -> Iterator[None]:
        """Ask these too, as long as it lasts."""
        with self._lock:
            self._sources += sources
        try:
            yield
        finally:
            with self._lock:
                self._sources = tuple(source for source in self._sources if source not in sources)

    def readings(self) -> list[Reading]:
        """Everything as it is now."""
        with self._lock:
            values, sources = list(self._values.items()), self._sources
            histograms = [(key, tuple(held)) for key, held in self._histograms.items()]
        found = [Reading(metric, value, labels) for (metric, labels), value in values]
        found += [Reading(metric, _distribution(held), labels) for (metric, labels), held in histograms]
        for source in sources:
            found += source()
        return found


def _key(metric: Metric, labels: Labels) -> tuple[Metric, Labels]:
    if len(labels) != len(metric.labels):
        raise ValueError(f"{metric.name} has the labels {metric.labels}, given were {labels}")
    return metric, labels


def _empty(metric: Metric) -> list[float]:
    """A count for each bucket, one for what is above them, and the sum."""
    return [0.0] * (len(metric.buckets) + 2)


def _distribution(held: Sequence[float]) -> Distribution:
    return Distribution(tuple(int(count) for count in held[:-1]), held[-1])
