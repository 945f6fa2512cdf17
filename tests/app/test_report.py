"""`sottovoce report`: one page with everything in it, that runs nothing and loads nothing."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sottovoce.app.report.page import content_security_policy, report_html
from sottovoce.session import records
from sottovoce.session.codec import assemble, encode
from sottovoce.session.records import SessionRecord, SessionSummary, TranscriptPolicy
from sottovoce.session.spending import Spending
from sottovoce.session.store import SessionStore
from tests.app.conftest import Result

Cli = Callable[..., Result]

HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(2)>\"' & {{ 7*7 }} \x1b[31m"
S, MS = 1_000_000_000, 1_000_000


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.styles: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open = [*self.open, tag] if tag not in ("meta", "img", "br") else self.open

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        (self.styles if self.open[-1:] == ["style"] else self.words).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def stream(direction: str = "output", **changed: object) -> records.StreamHealth:
    health = records.StreamHealth(
        direction,
        "Anna's headset",
        "resting",
        samplerate=48_000,
        channels=2,
        blocksize=256,
        latency_ms=12.5,
        asked_latency_ms=10.0,
        priority="realtime 20",
        counters={"blocks": 1000, "underruns": 0, "late_blocks": 0},
        callback=records.Durations(1000, 8.0, 11.0, 14.5, 90.0),
    )
    return replace(health, **changed)  # type: ignore[arg-type]


def session(text: str = "when do we launch", *events: records.Event, ended: bool = True) -> SessionRecord:
    heard, cut = records.ThesisStatus.HEARD, records.ThesisStatus.INTERRUPTED
    stages = (
        records.StageTime("vad_end", 63 * S, 63 * S + 360 * MS),
        records.StageTime("asr", 63 * S + 160 * MS, 63 * S + 240 * MS),
        records.StageTime("total", 63 * S, 63 * S + 366 * MS),
    )
    told: list[records.Event] = [
        records.UtteranceHeard(1, 61.0, 63.0, records.SpeakerKind.OTHER, text, 0.9, "en", "whisper"),
        records.QuestionAccepted(1, 1),
        records.ThesisChanged(1, 1, "On the third of June", "Launch (plan.md)", heard, 63.4, 2.0, 2.0),
        records.ThesisChanged(1, 2, text, text, cut, 66.0, 2.0, 0.5),
        records.TurnEnded(1, "spoken", stages, "notes"),
        records.UtteranceHeard(2, 70.0, 71.0, records.SpeakerKind.OWN, ""),
        records.QuestionIgnored(2, "own voice"),
        *events,
    ]
    summary = SessionSummary(
        12,
        "live",
        datetime(2026, 5, 1, 9, 30, tzinfo=UTC),
        datetime(2026, 5, 1, 9, 42, tzinfo=UTC) if ended else None,
        "ended" if ended else None,
        text,
        2,
        1,
        2,
    )
    rows = [encode(event, 63 * S, TranscriptPolicy.KEEP) for event in told]
    calls = (Spending("llm", "openai", "gpt-4o-mini", day="2026-05-01", turn=1, input_tokens=900, nano_usd=159_000),)
    settings = {"tts.speed": 1.35, "audio.output": text, "notes.path": text}
    return assemble(summary, settings, TranscriptPolicy.KEEP, 0, rows, calls, {"sottovoce": "1.2", "Python": "3.13"})


def test_page_shows_the_session_whole() -> None:
    failed = records.BackendFailed("gemini", "gemini did not answer within 3.0 s", retryable=True)
    record = session("when do we launch", failed, records.EngineMeasured((stream(), stream("input"))))
    seen = Seen(report_html(record))
    for shown in (
        "Session 12",
        "when do we launch",
        "On the third of June from Launch (plan.md), heard, 2.0 s",
        "interrupted after 0.5 of 2.0 s",
        "answered by notes",
        "heard by whisper",
        "not answered: own voice",
        "(nothing understood)",
        "366 ms to the first sound",
        "Output: Anna's headset",
        "realtime 20",
        "Nothing was lost, and nothing came late.",
        "gemini did not answer within 3.0 s",
        "theses: gpt-4o-mini (openai)",
        "tts.speed 1.35",
        "sottovoce 1.2",
    ):
        assert shown in seen.text, shown
    assert [tag for tag, _ in seen.tags].count("svg") == 1


def test_page_is_one_file_that_runs_nothing_whatever_was_said() -> None:
    failed = records.BackendFailed(HOSTILE, HOSTILE)
    measured = records.EngineMeasured((stream(device=HOSTILE, recreate_reason=HOSTILE, recreates=1, state=HOSTILE),))
    html = report_html(session(HOSTILE, failed, measured))
    seen = Seen(html)
    assert {tag for tag, _ in seen.tags}.isdisjoint({"script", "img", "link", "iframe", "object", "form", "base"})
    attributes = [(name, value or "") for _, attrs in seen.tags for name, value in attrs.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name in ("src", "href", "style", "action")]
    assert seen.text.count("<script>alert(1)</script>") >= 8, "it is there, as a text"
    assert "{{ 7*7 }}" in seen.text
    assert "url(" not in "".join(seen.styles)
    assert "@import" not in "".join(seen.styles)


def test_hostile_page_would_be_noticed() -> None:
    seen = Seen("<p onclick='x'><script>alert(1)</script></p>")
    assert [tag for tag, _ in seen.tags] == ["p", "script"]
    assert seen.tags[0][1] == {"onclick": "x"}


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize(
    ("markup", "policy", "title"),
    [
        pytest.param(False, True, "Session 12", id="what was said is text"),
        pytest.param(True, True, "Session 12", id="markup would be let run nothing"),
        pytest.param(True, False, "owned", id="it would run without the policy"),
    ],
)
def test_script_that_was_said_runs_in_no_browser(tmp_path: Path, markup: bool, policy: bool, title: str) -> None:
    said = "<script>document.title = 'owned'</script><svg onload=\"document.title = 'owned'\"></svg>"
    html = report_html(session(said, records.BackendFailed(said, said)))
    if markup:
        html = html.replace("<footer>", f"{said}<footer>")
    if not policy:
        html = html.replace("http-equiv", "name")
    page = tmp_path / "page.html"
    page.write_text(html, encoding="utf-8")
    browser = [str(CHROMIUM), "--headless", "--no-sandbox", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    shown = subprocess.run([*browser, page.as_uri()], capture_output=True, text=True, timeout=100, check=True).stdout
    assert f"<title>{title}</title>" in shown


def test_browser_is_told_to_take_the_style_of_the_page_and_nothing_else() -> None:
    seen = Seen(report_html(session()))
    (style,) = seen.styles
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [attrs["content"] for tag, attrs in seen.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy == content_security_policy()
    assert f"style-src 'sha256-{digest}'" in (policy or "")
    assert "default-src 'none'" in (policy or "")


def test_redacted_page_has_no_word_and_is_of_use() -> None:
    failed = records.BackendFailed("gemini", "cannot read /home/anna/plan.md: denied", retryable=True)
    measured = records.EngineMeasured((stream(counters={"blocks": 5, "underruns": 3}, recreates=2),))
    record = session("when do we launch", failed, measured)
    whole, given = report_html(record), report_html(record, redact=True)
    for word in ("launch", "June", "plan.md", "Anna", "anna"):
        assert word.lower() in whole.lower()
        assert word.lower() not in given.lower()
    text = Seen(given).text
    for shown in (
        "Redacted: no word of anybody",
        "[17 characters]",
        "interrupted after 0.5 of 2.0 s",
        "366 ms to the first sound",
        "3 blocks with too little to play; opened again 2 times",
        "[…]: denied",
        "$0.0002",
    ):
        assert shown in text, shown


def test_page_of_a_session_with_nothing_in_it() -> None:
    summary = SessionSummary(3, "demo", datetime(2026, 5, 1, tzinfo=UTC), None, None, "", 0, 0, 0)
    empty = SessionRecord(summary, {}, TranscriptPolicy.OFF, (), ())
    text = Seen(report_html(empty)).text
    for shown in ("Nothing was heard.", "no end noted", "Nothing was noted of it", "No service was called."):
        assert shown in text
    assert "was kept (session.transcripts)" in text


def test_question_that_was_lost_has_its_answer_all_the_same() -> None:
    record = session()
    text = Seen(report_html(replace(record, utterances=record.utterances[1:]))).text
    assert "(a question that was not stored)" in text
    assert "On the third of June" in text


def test_colours_of_text_are_told_apart_in_light_and_dark() -> None:
    style = "".join(Seen(report_html(session())).styles)
    themes = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    assert len(themes) == 3, "light, dark, print"
    for theme in themes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", theme))
        for name in ("text", "dim", "bad", "unsure", "stage", "thesis"):
            least = 3.0 if name in ("stage", "thesis") else 4.5  # WCAG AA: graphics, and text
            for ground in ("page", "soft"):
                assert contrast(colours[name], colours[ground]) >= least, (name, ground, theme)


def contrast(first: str, second: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.1)."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# The command


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "sessions.db"
    with SessionStore(path) as opened:
        for text in ("how long does the battery last", "who pays"):
            session_id = opened.start_session("live")
            opened.append(session_id, records.UtteranceHeard(1, 1.0, 2.0, records.SpeakerKind.OTHER, text))
            opened.end_session(session_id, "ended")
    return path


@pytest.fixture
def report(cli: Cli, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: cli("--set", f"session.path={store}", "report", *arguments)


def test_report_is_written_for_its_owner_alone_and_never_overwritten(report: Cli, tmp_path: Path) -> None:
    result = report(1)
    file = tmp_path / "session-1.html"
    assert (result.code, result.err) == (0, "wrote session-1.html\n")
    assert "battery" in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o077 == 0
    again = report(1)
    assert again.code == 2
    assert "session-1.html exists and is left as it is" in again.err
    assert "hint: say --force" in again.err
    assert report(1, "--force", "--redact").code == 0
    assert "battery" not in file.read_text(encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_report_of_the_last_session_to_stdout(report: Cli) -> None:
    result = report("last", "--out", "-")
    assert result.code == 0
    assert result.out.startswith("<!doctype html>")
    assert "who pays" in result.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("77",), 8, "no session 77"),
        (("9" * 30,), 8, f"no session {'9' * 30}"),
        (("0",), 2, "'0' is no session"),
        (("first",), 2, "'first' is no session"),
        (("1", "--out", "no/such/folder.html"), 2, "cannot be written"),
        (("1", "--out", "."), 2, "is a directory"),
    ],
)
def test_report_that_cannot_be_written_says_why(report: Cli, arguments: tuple[str, ...], code: int, said: str) -> None:
    result = report(*arguments)
    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert "Traceback" not in result.err


def test_report_of_a_session_that_still_runs(report: Cli, store: Path, tmp_path: Path) -> None:
    with SessionStore(store) as other:
        session_id = other.start_session("live")
        other.append(session_id, records.UtteranceHeard(1, 1.0, 2.0, records.SpeakerKind.OTHER, "and now"))
        assert other.flush()
        assert report(session_id).code == 0
    page = (tmp_path / f"session-{session_id}.html").read_text(encoding="utf-8")
    assert "and now" in page
    assert "no end noted" in page
