"""What is counted, and who is asked."""

from __future__ import annotations

import threading

import pytest

from sottovoce.metrics.catalogue import CALLS, RESPONSE, UPTIME, WASTED
from sottovoce.metrics.registry import Distribution, Reading, Registry


def told(registry: Registry) -> dict[tuple[str, ...], float | Distribution]:
    return {(one.metric.name, *one.labels): one.value for one in registry.readings()}


def test_what_happens_is_counted_by_its_labels() -> None:
    registry = Registry()
    registry.begin(WASTED, "asr")
    registry.count(WASTED, "llm")
    registry.count(WASTED, "llm", by=2)
    registry.put(UPTIME, 7.0)
    registry.put(UPTIME, 8.0)
    assert told(registry) == {(WASTED.name, "asr"): 0.0, (WASTED.name, "llm"): 3.0, (UPTIME.name,): 8.0}


def test_value_on_a_border_counts_below_it() -> None:
    registry = Registry()
    for value in (5.0, 5.01, 31.0):
        registry.observe(RESPONSE, value)
    held = told(registry)[(RESPONSE.name,)]
    assert isinstance(held, Distribution)
    at = RESPONSE.buckets.index(5.0)
    assert held.counts[at : at + 2] == (1, 1)
    assert held.counts[-1] == 1
    assert held.total == pytest.approx(41.01)


def test_beginning_again_wipes_nothing_away() -> None:
    registry = Registry()
    registry.count(WASTED, "asr")
    registry.observe(RESPONSE, 1.0)
    registry.begin(WASTED, "asr")
    registry.begin(RESPONSE)
    assert told(registry)[(WASTED.name, "asr")] == 1.0
    assert sum(told(registry)[(RESPONSE.name,)].counts) == 1  # type: ignore[union-attr]


def test_source_is_asked_as_long_as_it_is_there() -> None:
    registry, asked = Registry(), []

    def source() -> list[Reading]:
        asked.append(1)
        return [Reading(UPTIME, 1.0)]

    with registry.asking(source):
        assert told(registry) == {(UPTIME.name,): 1.0}
    assert told(registry) == {}
    assert asked == [1]


def test_wrong_labels_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="'part', 'backend'"):
        Registry().count(CALLS, "asr")


def test_threads_lose_no_count() -> None:
    registry = Registry()

    def work() -> None:
        for _ in range(500):
            registry.count(WASTED, "asr")
            registry.observe(RESPONSE, 1.0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told(registry)[(WASTED.name, "asr")] == 2000.0
    assert sum(told(registry)[(RESPONSE.name,)].counts) == 2000  # type: ignore[union-attr]
