"""The server as browsers, and those who mean ill, find it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from sottovoce.app.settings import LlmSettings, OpenaiSettings
from sottovoce.app.web import guard, server
from sottovoce.app.web.server import Address, Door
from sottovoce.core.errors import ConfigError
from tests.support.certificates import own_certificate
from tests.support.web import EventReader, ScriptedPage, config_in, scripted_page


@pytest.fixture
def page(tmp_path: Path) -> Iterator[ScriptedPage]:
    before = set(threading.enumerate())
    with scripted_page(tmp_path) as page:
        yield page
    assert set(threading.enumerate()) <= before


def raw(page: ScriptedPage, request: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes as they are; what comes back until the server hangs up."""
    parts = urlsplit(page.link)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10.0) as connection:
        connection.sendall(request)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def test_link_lets_a_browser_in_once_and_for_all(page: ScriptedPage) -> None:
    with httpx2.Client(base_url=page.origin) as client:
        assert client.get("/").status_code == 401
        came = client.get(page.link)
        assert (came.status_code, came.headers["location"]) == (303, "/")
        cookie = came.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/" in cookie
        assert page.link.partition("token=")[2] not in cookie, "what is in the link is not what is kept"
        assert client.get("/api/settings").status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/api/events", "/api/sessions", "/api/settings", "/nothing"])
def test_nothing_is_given_without_the_cookie(page: ScriptedPage, path: str) -> None:
    answer = httpx2.get(f"{page.origin}{path}")
    assert (answer.status_code, answer.json()["hint"]) == (401, guard.LINK_HINT)


@pytest.mark.parametrize("token", ["wrong", "", "a" * 43, "%00", "%ff%fe", "ю"])
def test_wrong_token_is_refused(page: ScriptedPage, token: str) -> None:
    assert httpx2.get(f"{page.origin}/?token={token}").status_code == 401


def test_two_tokens_are_none(page: ScriptedPage) -> None:
    assert httpx2.get(f"{page.link}&token=x").status_code == 401


def test_wrong_cookie_is_refused(page: ScriptedPage) -> None:
    port = urlsplit(page.link).port
    for cookie in (f"sottovoce-{port}=wrong", f"sottovoce-{port}=", "sottovoce=x", "\xff=\xfe"):
        answer = raw(
            page,
            b"GET /api/settings HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\nCookie: %s\r\n\r\n"
            % (port, cookie.encode("latin-1")),
        )
        assert answer.startswith(b"HTTP/1.1 401"), cookie


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "0.0.0.0:{port}"]
)
def test_rebound_name_is_refused(page: ScriptedPage, host: str) -> None:
    with page.client() as client:
        named = host.format(port=urlsplit(page.link).port)
        assert client.get("/api/settings", headers={"Host": named}).status_code == 403


def test_own_names_are_known(page: ScriptedPage) -> None:
    with page.client() as client:
        port = urlsplit(page.link).port
        named = {"Host": f"LocalHost:{port}", "Origin": f"http://localhost:{port}"}
        assert client.get("/api/settings", headers=named).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_other_pages_can_ask_for_nothing(page: ScriptedPage, origin: str, method: str) -> None:
    with page.client() as client:
        from_there = {"Origin": origin.format(port=urlsplit(page.link).port), "Content-Type": "application/json"}
        path = {"GET": "/api/sessions", "POST": "/api/control", "DELETE": "/api/sessions/1"}[method]
        assert client.request(method, path, headers=from_there, content=b'{"action": "stop"}').status_code == 403
    assert page.wishes == []


def test_change_that_names_no_page_is_refused(page: ScriptedPage) -> None:
    with page.client() as client:
        del client.headers["Origin"]
        assert client.post("/api/control", json={"action": "stop"}).status_code == 403
        assert client.get("/api/settings").status_code == 200
    assert page.wishes == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_get_nothing_though_the_browser_sends_no_origin(page: ScriptedPage, site: str) -> None:
    with page.client() as client:
        del client.headers["Origin"]
        assert client.get("/api/sessions", headers={"Sec-Fetch-Site": site}).status_code == 403
        assert client.get("/", headers={"Sec-Fetch-Site": site}).status_code != 403, "a link may lead here"


def test_form_of_another_page_cannot_control(page: ScriptedPage) -> None:
    with page.client() as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            answer = client.post("/api/control", content=b'{"action": "stop"}', headers={"Content-Type": kind})
            assert answer.status_code == 415, kind
    assert page.wishes == []


def test_there_is_no_socket_to_hijack(page: ScriptedPage) -> None:
    with page.client() as client:
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        assert client.get("/api/events", headers=upgrade).status_code == 400
        assert client.get("/", headers={"Upgrade": "h2c"}).status_code == 400


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "PUT", "PATCH", "TRACE"])
def test_other_methods_are_refused(page: ScriptedPage, method: str) -> None:
    with page.client() as client:
        assert client.request(method, "/api/control").status_code == 405


def test_every_answer_keeps_browsers_on_the_safe_side(page: ScriptedPage) -> None:
    with page.client() as client:
        for path in ("/", "/api/settings", "/nothing", "/api/sessions/99/export.md"):
            headers = client.get(path).headers
            assert headers["content-security-policy"].startswith("default-src 'none'"), path
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "access-control-allow-origin" not in headers
            assert "server" not in headers
    assert httpx2.get(page.origin).headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "path",
    ["/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py", "/static//etc/passwd", "/%ff"],
)
def test_only_the_page_itself_is_given(page: ScriptedPage, path: str) -> None:
    with page.client() as client:
        assert client.get(path).status_code == 404


def test_headers_without_an_end_are_refused(page: ScriptedPage) -> None:
    port = urlsplit(page.link).port
    begun = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX: " % port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=10.0) as connection:
        sent = 0
        try:
            connection.sendall(begun)
            while sent < 10_000_000:
                connection.sendall(b"x" * 65536)
                sent += 65536
            answer = connection.recv(65536)
        except OSError:  # hung up in the middle, as it should be
            answer = b""
        assert sent < 10_000_000 or not answer.startswith(b"HTTP/1.1 2")
        assert b" 200 " not in answer
    with page.client() as client:
        assert client.get("/api/settings").status_code == 200, "others are served as before"


@pytest.mark.parametrize(
    "request_bytes", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"\xff\xfe\r\n\r\n", b"GET\r\n\r\n"]
)
def test_what_is_no_http_is_refused(page: ScriptedPage, request_bytes: bytes) -> None:
    answer = raw(page, request_bytes)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


def test_client_that_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server, "HEADERS_S", 0.1)
    with scripted_page(tmp_path) as page:
        port = urlsplit(page.link).port or 0
        assert raw(page, b"") == b""
        assert raw(page, b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port) == b"", "one header, and no more"
        with page.client() as client:
            assert client.get("/api/settings").status_code == 200
        answered = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port
        assert raw(page, answered).startswith(b"HTTP/1.1 401"), "one that stays silent after its answer, too"


def test_client_that_goes_in_the_middle_of_its_body_leaves_no_trace(page: ScriptedPage) -> None:
    with page.client() as client:
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        head = (
            f"POST /api/control HTTP/1.1\r\nHost: {urlsplit(page.link).netloc}\r\nOrigin: {page.origin}\r\n"
            f"Cookie: {cookie}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        )
        raw(page, head.encode() + b'{"action"', half_close=True)
        assert client.post("/api/control", json={"action": "next"}).status_code == 204
    assert page.wait_for_wishes(1) == [("next", None)]


def test_more_connections_than_allowed_are_dropped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 4)
    with scripted_page(tmp_path) as page:
        port = urlsplit(page.link).port or 0
        held = [socket.create_connection(("127.0.0.1", port), timeout=10.0) for _ in range(4)]
        try:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=10.0) as one_more,
                contextlib.suppress(ConnectionResetError),
            ):
                assert one_more.recv(1) == b""
        finally:
            for connection in held:
                connection.close()


def test_port_in_use_is_told_with_what_to_do() -> None:
    with Door(Address()) as first, pytest.raises(ConfigError, match=f"port {first.port}: ") as refusal:
        Door(Address(port=first.port))
    assert "--web-port 0" in refusal.value.hint


def test_host_that_is_not_of_this_machine_is_told() -> None:
    elsewhere = Address("192.0.2.7", 0, Path("c.pem"), Path("k.pem"))
    with pytest.raises(ConfigError, match=r"cannot be served on 192\.0\.2\.7"):
        elsewhere.bind()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_other_machines_are_not_served_without_tls(host: str) -> None:
    with pytest.raises(ConfigError, match="without TLS") as refusal:
        Address(host)
    assert "--web-cert" in refusal.value.hint


@pytest.mark.parametrize("given", [{"cert": Path("c.pem")}, {"key": Path("k.pem")}])
def test_half_of_what_tls_needs_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="is not set"):
        Address(**given)


def test_files_that_are_no_certificate_are_refused(tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("nothing", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be used for TLS"):
        Door(Address(cert=junk, key=junk))
    with pytest.raises(ConfigError, match="cannot be used for TLS"):
        Door(Address(cert=tmp_path / "none", key=junk))


def test_with_tls_other_machines_are_served_under_the_address_that_they_use(tmp_path: Path) -> None:
    trusted, _ = own_certificate(tmp_path)
    address = Address("0.0.0.0", 0, trusted, tmp_path / "secret.pem")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "_outward_address", lambda: "127.0.0.1")
        with scripted_page(tmp_path, address=address) as page:
            assert page.link.startswith("https://127.0.0.1:")
            with page.client(verify=ssl.create_default_context(cafile=str(trusted))) as client:
                assert "Secure" in client.get(page.link).headers["set-cookie"]
                assert client.get("/api/settings").status_code == 200
                assert client.get("/api/settings", headers={"Host": "evil.example"}).status_code == 403


def test_client_that_begins_tls_and_does_not_go_on_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server, "HEADERS_S", 0.1)
    trusted, _ = own_certificate(tmp_path)
    with scripted_page(tmp_path, address=Address(cert=trusted, key=tmp_path / "secret.pem")) as page:
        assert raw(page, b"\x16\x03\x01\x02\x00") == b""
        with page.client(verify=ssl.create_default_context(cafile=str(trusted))) as client:
            assert client.get("/api/settings").status_code == 200


@pytest.mark.parametrize(
    ("base_url", "leaves"),
    [("", ["openai"]), ("https://api.example.org/v1", ["openai"]), ("http://localhost:11434/v1", [])],
)
def test_page_says_which_services_something_is_sent_to(tmp_path: Path, base_url: str, leaves: list[str]) -> None:
    config = config_in(tmp_path, llm=LlmSettings(backend="openai, notes"), openai=OpenaiSettings(base_url=base_url))
    with scripted_page(tmp_path, config=config) as page, page.client() as client:
        assert EventReader(client).wait_for("session")["leaves_machine"] == leaves
