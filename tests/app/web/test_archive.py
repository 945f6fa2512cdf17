"""Sessions in the browser: listed, searched, taken away, drawn, deleted; never the one that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from sottovoce.session.store import SessionStore
from tests.session.samples import ORIGIN_NS, QUESTION, SECRET, HeldClock, S, conversation, heard
from tests.support.web import scripted_page


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store with three sessions, the last of which runs."""
    path = tmp_path / "sessions.db"
    with SessionStore(path, clock=HeldClock()) as store:
        for number in (1, 2, 3):
            assert store.start_session("live", "notes") == number
            for at_s, event in conversation() if number != 2 else [(1, heard(1, "<script>alert(1)</script>"))]:
                store.append(number, event, ORIGIN_NS + at_s * S)
            if number < 3:
                store.end_session(number, "ended")
        assert store.flush()
    return path


@pytest.fixture
def client(tmp_path: Path, database: Path) -> Iterator[httpx2.Client]:
    with scripted_page(tmp_path, session_id=3) as page, page.client() as client:
        yield client


def listed(client: httpx2.Client, query: str = "") -> list[int]:
    return [each["id"] for each in client.get(f"/api/sessions{query}").json()["sessions"]]


def test_sessions_are_listed_newest_first_page_by_page(client: httpx2.Client) -> None:
    assert listed(client) == [3, 2, 1]
    assert listed(client, "?limit=2") == [3, 2]
    assert listed(client, "?limit=2&before=2") == [1]
    newest = client.get("/api/sessions").json()["sessions"][0]
    assert (newest["running"], newest["title"], newest["turns"], newest["duration_s"]) == (True, QUESTION, 1, None)
    assert (newest["kind"], newest["snippets"], newest["cost"]) == ("live", [], 0.0)


def test_sessions_are_found_by_their_words(client: httpx2.Client) -> None:
    found = client.get("/api/sessions", params={"query": "zanzibar"}).json()["sessions"]
    assert [each["id"] for each in found] == [3, 1]
    hits = [part["text"] for part in found[0]["snippets"][0] if part["hit"]]
    assert hits == ["zanzibar"]
    assert listed(client, "?query=nothing+of+that+kind") == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=-1", "before=0", "before=1e3", "before=%D9%A3"]
)
def test_numbers_that_are_not_allowed_are_told(client: httpx2.Client, query: str) -> None:
    answer = client.get(f"/api/sessions?{query}")
    assert answer.status_code == 400
    assert "allowed" in answer.json()["error"]


@pytest.mark.parametrize("query", ['"', "NEAR(", "*", "a AND", "\x00", "x" * 5000, "%ff%fe"])
def test_no_query_is_an_error(client: httpx2.Client, query: str) -> None:
    assert client.get("/api/sessions", params={"query": query}).status_code == 200
    assert client.get("/api/sessions?query=%ff%fe").status_code == 200


def test_session_is_given_as_the_command_line_exports_it(client: httpx2.Client) -> None:
    record = client.get("/api/sessions/1").json()
    assert record["session"]["id"] == 1
    assert record["turns"][0]["question"]["text"] == QUESTION


@pytest.mark.parametrize(("kind", "part"), [("md", "# Session 1"), ("json", '"format"'), ("srt", "-->")])
def test_exports_come_as_files(client: httpx2.Client, kind: str, part: str) -> None:
    answer = client.get(f"/api/sessions/1/export.{kind}")
    assert answer.headers["content-disposition"] == f'attachment; filename="session-1.{kind}"'
    assert part in answer.text


def test_what_was_said_is_never_markup(client: httpx2.Client) -> None:
    for path in ("/api/sessions/2", "/api/sessions", "/api/sessions/2/export.md"):
        answer = client.get(path)
        assert "html" not in answer.headers["content-type"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    report = client.get("/api/sessions/2/report.html")
    assert "<script>" not in report.text
    assert "&lt;script&gt;" in report.text
    assert "sandbox" in report.headers["content-security-policy"]


def test_report_is_given_with_words_or_without(client: httpx2.Client) -> None:
    assert SECRET in client.get("/api/sessions/1/report.html").text
    redacted = client.get("/api/sessions/1/report.html?redact=1")
    assert redacted.status_code == 200
    assert SECRET not in redacted.text
    assert client.get("/api/sessions/1/report.html?redact=yes").status_code == 400


def test_waterfall_of_a_turn_is_the_drawing_of_the_command_line(client: httpx2.Client) -> None:
    drawing = client.get("/api/sessions/1/turns/1.svg")
    assert drawing.headers["content-type"].startswith("image/svg+xml")
    assert drawing.text.startswith("<svg")
    assert "recogniser" in drawing.text
    assert client.get("/api/sessions/1/turns/2.svg").status_code == 404
    assert client.get("/api/sessions/2/turns/1.svg").status_code == 404


def test_session_is_deleted_for_good(client: httpx2.Client, database: Path) -> None:
    assert client.delete("/api/sessions/1").status_code == 204
    assert listed(client) == [3, 2]
    assert client.get("/api/sessions/1").status_code == 404
    assert client.delete("/api/sessions/1").status_code == 404


def test_session_that_runs_is_not_deleted(client: httpx2.Client) -> None:
    answer = client.delete("/api/sessions/3")
    assert (answer.status_code, "the one that runs" in answer.json()["error"]) == (409, True)
    assert listed(client) == [3, 2, 1]


@pytest.mark.parametrize(
    "path",
    ["99", "0", "x", "-1", "99999999999999999999999", "1/export.exe", "1/turns/99999999999999999999.svg", "1/export."],
)
def test_what_is_not_there_is_said(client: httpx2.Client, path: str) -> None:
    answer = client.get(f"/api/sessions/{path}")
    assert (answer.status_code, set(answer.json())) == (404, {"error", "hint"})


def test_machine_without_sessions_has_none_and_gets_no_database(tmp_path: Path) -> None:
    with scripted_page(tmp_path) as page, page.client() as client:
        assert client.get("/api/sessions").json() == {"sessions": []}
        assert client.get("/api/sessions/1").status_code == 404
    assert not (tmp_path / "sessions.db").exists()


def test_database_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "sessions.db").write_text("no database " * 100, encoding="utf-8")
    with scripted_page(tmp_path) as page, page.client() as client:
        answer = client.get("/api/sessions")
        assert (answer.status_code, "not a database" in answer.json()["error"]) == (503, True)
