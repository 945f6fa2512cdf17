"""What each client is given: the newest version of what it has not seen, and never more."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sottovoce.app.web.hub import Hub


def told(hub: Hub) -> list[str]:
    client = hub.join(lambda: None, 1)
    assert client is not None
    return [version.section for version in client.take()]


def test_client_gets_every_section_once_when_it_joins() -> None:
    hub = Hub()
    hub.publish("session", b"1")
    hub.publish("heard", b"2")
    assert told(hub) == ["session", "heard"]


def test_client_gets_what_has_changed_in_the_order_of_change() -> None:
    hub = Hub()
    for section in ("session", "heard", "turns"):
        hub.publish(section, b"old")
    client = hub.join(lambda: None, 1)
    assert client is not None
    client.take()
    hub.publish("turns", b"new")
    hub.publish("session", b"new")
    assert [(version.section, version.payload) for version in client.take()] == [("turns", b"new"), ("session", b"new")]
    assert client.take() == []


def test_slow_client_skips_versions_and_gets_the_newest() -> None:
    hub = Hub()
    client = hub.join(lambda: None, 1)
    assert client is not None
    for number in range(1000):
        hub.publish("heard", str(number).encode())
    assert [version.payload for version in client.take()] == [b"999"]


def test_clients_that_never_read_cost_no_more_than_the_newest_versions() -> None:
    hub = Hub()
    clients = [hub.join(lambda: None, 50) for _ in range(50)]
    for number in range(10_000):
        hub.publish(f"section {number % 7}", bytes(100))
    assert len(hub.versions()) == 7
    assert all(client is not None and len(client.take()) == 7 for client in clients)


def test_one_client_too_many_is_refused_until_another_has_left() -> None:
    hub = Hub()
    first = hub.join(lambda: None, 1)
    assert first is not None
    assert hub.join(lambda: None, 1) is None
    hub.leave(first)
    hub.leave(first)
    assert hub.join(lambda: None, 1) is not None


def test_whoever_watches_is_woken_by_news_and_by_the_end() -> None:
    hub, woken = Hub(), []
    client = hub.join(lambda: woken.append("news"), 1)
    assert client is not None
    hub.publish("heard", b"")
    hub.close()
    assert woken == ["news", "news"]
    assert hub.closed
    hub.publish("heard", b"after the end")
    assert [version.payload for version in client.take()] == [b""]
    assert hub.join(lambda: None, 10) is None


@given(st.lists(st.one_of(st.sampled_from("abc"), st.none()), max_size=60))
def test_what_a_client_has_is_the_newest_of_each_whenever_it_reads(steps: list[str | None]) -> None:
    hub, newest, shown = Hub(), {}, {}
    client = hub.join(lambda: None, 1)
    assert client is not None
    for number, section in enumerate([*steps, None]):
        if section is None:
            shown.update({version.section: json.loads(version.payload) for version in client.take()})
            assert shown == newest
        else:
            newest[section] = number
            hub.publish(section, str(number).encode())
