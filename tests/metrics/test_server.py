"""The server that scrapers ask: what it gives, whom it refuses, and that nobody can hold it up."""

from __future__ import annotations

import errno
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from sottovoce.core.errors import ConfigError
from sottovoce.metrics import server as serving
from sottovoce.metrics.catalogue import CALLS, RESPONSE, UPTIME
from sottovoce.metrics.registry import Reading, Registry
from sottovoce.metrics.server import MOST_CONNECTIONS, MetricsServer
from tests.support.soundcard import wait_until

parser = pytest.importorskip("prometheus_client.parser", reason="needs the extra `metrics`")


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.count(CALLS, "llm", 'odd "name"\n\\', by=3)
    for value in (0.07, 0.3, 40.0):
        registry.observe(RESPONSE, value)
    registry.put(UPTIME, 12.5)
    return registry


@pytest.fixture
def server(registry: Registry) -> Iterator[MetricsServer]:
    before = set(threading.enumerate())
    with closing(MetricsServer(registry, 0)) as server:
        yield server
    assert set(threading.enumerate()) <= before


def fetch(url: str, timeout_s: float = 10.0, **headers: str) -> tuple[int, str, str]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def connect(server: MetricsServer) -> socket.socket:
    return socket.create_connection((server.address, server.port), timeout=10.0)


def test_page_is_what_prometheus_reads(server: MetricsServer) -> None:
    code, content_type, page = fetch(server.url)
    families = {family.name: family for family in parser.text_string_to_metric_families(page)}
    assert (code, content_type.partition(";")[0]) == (200, "text/plain")
    (calls,) = families["sottovoce_backend_calls"].samples
    assert (calls.labels, calls.value) == ({"part": "llm", "backend": 'odd "name"\n\\'}, 3.0)
    response = families["sottovoce_turn_response_seconds"]
    assert response.documentation == RESPONSE.help
    buckets = {sample.labels["le"]: sample.value for sample in response.samples if sample.name.endswith("_bucket")}
    assert (buckets["0.05"], buckets["0.1"], buckets["5.0"], buckets["+Inf"]) == (0.0, 1.0, 2.0, 3.0)
    assert {sample.value for sample in response.samples if sample.name.endswith("_count")} == {3.0}
    # whose clock was set moves no figure: none carries a time of its own
    assert {sample.timestamp for family in families.values() for sample in family.samples} == {None}
    assert families["process_cpu_seconds"].samples if os.path.isdir("/proc") else True


def test_scraper_that_asks_for_openmetrics_gets_it(server: MetricsServer) -> None:
    _, content_type, page = fetch(server.url, Accept="application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert page.endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/metrics.json"])
def test_nothing_else_is_there(server: MetricsServer, path: str) -> None:
    code, _, page = fetch(server.url.removesuffix("/metrics") + path)
    assert (code, page) == (404, "metrics are at /metrics\n")


@pytest.mark.parametrize(
    ("host", "code"),
    [("localhost:9464", 200), ("127.0.0.1", 200), ("[::1]:9464", 200), ("evil.example", 403), ("[oops", 403)],
)
def test_page_of_a_site_that_leads_its_name_here_is_refused(server: MetricsServer, host: str, code: int) -> None:
    assert fetch(server.url, Host=host)[0] == code


def test_port_in_use_is_said(server: MetricsServer) -> None:
    with pytest.raises(ConfigError, match=rf"metrics\.port is {server.port}, which is in use on 127.0.0.1") as caught:
        MetricsServer(Registry(), server.port)
    assert "0 for one that is free" in caught.value.hint


@pytest.mark.parametrize("address", ["203.0.113.7", "a" * 70])
def test_address_that_is_none_of_this_machine_is_said(address: str) -> None:
    with pytest.raises(ConfigError, match="no address of this machine") as caught:
        MetricsServer(Registry(), 0, address)
    assert caught.value.key == "metrics.address"


def test_name_that_leads_nowhere_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ConfigError, match=r"'no\.such\.host', which is no address of this machine"):
        MetricsServer(Registry(), 0, "no.such.host")


def test_port_of_the_system_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ConfigError, match=r"metrics\.port is 80, which may not be used here") as caught:
        MetricsServer(Registry(), 80)
    assert "below 1024" in caught.value.hint


def test_only_this_machine_is_served_unless_it_is_said(server: MetricsServer) -> None:
    assert (server.address, server.exposed) == ("127.0.0.1", False)
    with closing(MetricsServer(Registry(), 0, "0.0.0.0")) as everywhere:
        assert everywhere.exposed
        assert everywhere.url == f"http://localhost:{everywhere.port}/metrics"


def test_scrapers_that_never_ask_and_never_read_hold_nobody_up(server: MetricsServer) -> None:
    with ExitStack() as stack:
        for number in range(3 * MOST_CONNECTIONS):
            idle = stack.enter_context(closing(connect(server)))
            if number % 2:
                idle.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")  # and reads nothing
        for _ in range(5):
            assert fetch(server.url)[0] == 200
        scrapers = [thread for thread in threading.enumerate() if thread.name.startswith("sottovoce-scrape")]
        assert len(scrapers) <= MOST_CONNECTIONS


def test_scraper_that_reads_nothing_of_a_long_page_is_let_go(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving._Handler, "timeout", 0.2)
    long = [Reading(CALLS, 1.0, ("llm", f"{number}-{'x' * 1000}")) for number in range(6000)]
    with closing(MetricsServer(registry, 0)) as server, registry.asking(lambda: long):
        with closing(connect(server)) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            with closing(connect(server)) as second:
                second.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
                assert second.recv(12) == b"HTTP/1.0 200"
        server.close()  # joins whoever served them
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("sottovoce-scrape")]


def test_scraper_that_hangs_up_in_the_middle_is_no_matter(
    server: MetricsServer, caplog: pytest.LogCaptureFixture
) -> None:
    for request in (b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost: loc", b"GET /metrics HTTP/1.1\r\n\r\n"):
        with closing(connect(server)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # hangs up with a reset
            connection.sendall(request)
    assert fetch(server.url)[0] == 200
    assert not caplog.records


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"GET /metrics HTTP/1.1\r\nA: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"\xff\xfe\x00\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\n\r\n",
    ],
)
def test_nonsense_is_refused_and_the_next_one_is_served(server: MetricsServer, request_bytes: bytes) -> None:
    with closing(connect(server)) as connection:
        try:
            connection.sendall(request_bytes)
            answer = connection.recv(4096)
        except ConnectionError:  # refused before all of it was sent
            answer = b""
    assert b" 200 " not in answer
    assert fetch(server.url)[0] == 200


def test_source_that_fails_ends_nothing(
    server: MetricsServer, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> list[Reading]:
        raise RuntimeError("secret words")

    with registry.asking(broken), pytest.raises((urllib.error.URLError, ConnectionError, OSError)):
        fetch(server.url)
    wait_until(lambda: bool(caplog.records), 10.0, "a word about it")
    assert fetch(server.url)[0] == 200
    assert [record.getMessage() for record in caplog.records] == ["metrics could not be given error=RuntimeError"]


def test_closed_server_leaves_its_port_and_its_threads() -> None:
    before = set(threading.enumerate())
    server = MetricsServer(Registry(), 0)
    with closing(connect(server)):
        server.close()
        server.close()
    assert set(threading.enumerate()) <= before
    with closing(MetricsServer(Registry(), server.port)) as again:
        assert again.port == server.port
