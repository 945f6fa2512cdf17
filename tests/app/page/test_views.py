"""The views for whoever looks after a session, the page's languages, and whether everybody can use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from sottovoce.session.records import QuestionAccepted, StageTime, ThesisChanged, ThesisStatus, TurnEnded
from sottovoce.session.store import SessionStore
from tests.app import monitor_scenes as scenes
from tests.app.page.cards import Cards
from tests.app.page.conftest import PHONE
from tests.session.samples import MS, ORIGIN_NS, HeldClock, S, conversation, heard
from tests.support.web import ScriptedPage, scripted_page

Watch = Callable[..., Page]
LOOK = scenes.look(1.0, scenes.player(scenes.report("output", {"underruns": 3})), scenes.recorder())


#: What the page itself says: names of settings, and what the server says in English, are not of it.
WORDS = """[...document.querySelectorAll("button, h1, h2, dt, label, summary, p, th, caption, .tag, .over")]
  .filter((node) => node.checkVisibility() && !node.closest("[lang=en]") && /[a-z]/i.test(node.innerText))
  .flatMap((node) => [...node.childNodes].filter((each) => each.nodeType === 3).map((each) => each.data.trim()))
  .filter((text) => text)
"""
NAMES = {"EN", "P", "N", "R", "S", "M", "How do you make money?", "Subscriptions", "Support", "Speakers", "Microphone"}

#: The views, and what is there once they are drawn.
SHOWN = {
    "#live": "#provisional li",
    "#engine": "#outputs button",
    "#sessions": "#sessions li",
    "#sessions/1": ".lines",
    "#settings": "#settings dt",
}

#: What has the focus: its name, how that is shown, and how wide it is; nothing if the page has not got it.
FOCUSED = """() => {
  const node = document.activeElement;
  const { outlineStyle } = getComputedStyle(node);
  const { width } = node.getBoundingClientRect();
  return node === document.body ? null : [node.innerText || node.ariaLabel, outlineStyle, width];
}"""

#: Everything to be pressed that is too small for a finger.
SMALL = """[...document.querySelectorAll("button, nav a, a.button, textarea, [type=search], summary")]
  .filter((node) => node.checkVisibility())
  .map((node) => [node.innerText, node.getBoundingClientRect()])
  .filter(([text, box]) => Math.min(box.width, box.height) < 44).map(([text, box]) => [text, box.width, box.height])
"""


@pytest.fixture
def cards() -> Cards:
    return Cards()


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Two sessions: one with a question and its answer, one with a Russian question."""
    clock = HeldClock()
    with SessionStore(tmp_path / "sessions.db", clock=clock) as store:
        for events in (conversation(), russian()):
            clock.ns = ORIGIN_NS
            session = store.start_session("live")
            for at_s, event in events:
                store.append(session, event, ORIGIN_NS + at_s * S)
            store.end_session(session, "finished")
        assert store.flush(10.0)
    return tmp_path


def russian() -> list[tuple[int, Any]]:
    thesis = ThesisChanged(1, 1, "Третьего июня", "Запуск (запуск.md)", ThesisStatus.HEARD, 13.0, 2.0, 2.0)
    stages = (StageTime("asr", ORIGIN_NS + 12 * S, ORIGIN_NS + 12 * S + 90 * MS),)
    return [
        (12, heard(1, "Когда мы запускаемся?")),
        (12, QuestionAccepted(1, 1)),
        (15, thesis),
        (16, TurnEnded(1, "spoken", stages)),
    ]


@pytest.fixture
def room(stored: Path, cards: Cards) -> Iterator[ScriptedPage]:
    with scripted_page(stored, look=lambda: LOOK, devices=cards) as room:
        yield room


def a_turn(room: ScriptedPage) -> None:
    room.asks(1, "How do you make money?")
    room.answers(1, "Subscriptions", "Support")
    room.speaks(1, 1)


def test_engine_is_shown_with_its_streams_and_stages(room: ScriptedPage, page: Page) -> None:
    a_turn(room)
    page.keyboard.press("2")
    output = page.locator("#streams > section").first
    expect(output).to_contain_text("Output · USB headset")
    expect(output).to_contain_text("running")
    expect(output).to_contain_text("48,000 Hz")
    assert output.locator("dt", has_text="Underruns").evaluate("node => node.nextSibling.textContent") == "3"
    expect(page.locator("#levels meter").first).to_have_attribute("aria-label", "Input: -32 dBFS")
    expect(page.locator("#stages caption")).to_have_text("500 ms to the first sound")
    row = page.locator("#stages tr", has_text="recogniser")
    expect(row.locator("td").last).to_have_text("70 ms")
    box, track = row.locator("i").bounding_box(), row.locator(".track").bounding_box()
    assert box is not None
    assert track is not None
    assert (box["x"] - track["x"]) / track["width"] == pytest.approx(0.62, abs=0.02)  # 310 of 500 ms
    assert box["width"] / track["width"] == pytest.approx(0.14, abs=0.02)
    expect(page.locator("#cost")).to_contain_text("This session")


def test_session_is_moved_to_another_device(room: ScriptedPage, page: Page, cards: Cards) -> None:
    page.keyboard.press("2")
    outputs = page.locator("#outputs button")
    headset, speakers = outputs.nth(0), outputs.nth(1)
    expect(headset).to_have_attribute("aria-pressed", "true")
    expect(speakers).to_contain_text("Bluetooth adds a tenth of a second")
    speakers.focus()
    page.keyboard.press("Enter")
    expect(speakers).to_have_attribute("aria-pressed", "true")
    expect(headset).to_have_attribute("aria-pressed", "false")
    expect(speakers).to_be_focused()
    assert cards.moves == [("output", "Speakers")]
    cards.outputs.remove("Speakers")
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.locator("#outputs button")).to_have_count(1)


def test_sessions_are_listed_and_found(page: Page) -> None:
    page.keyboard.press("3")
    items = page.locator("#sessions li")
    expect(items.locator("strong")).to_have_text(["Когда мы запускаемся?", "When do we launch?"])
    page.locator("#query").fill("июня")
    expect(items).to_have_count(1)
    expect(items.locator("mark")).to_have_text("июня")
    page.locator("#query").fill("nowhere to be found")
    expect(page.locator("#found")).to_have_text("Shown: 0")


def test_session_is_played_at_its_times(page: Page) -> None:
    page.goto(page.url + "#sessions/1")
    lines = page.locator(".lines button")
    expect(lines.locator("time")).to_have_text(["00:10", "00:14", "00:20"])
    expect(lines.nth(1)).to_contain_text("On the third of June")
    page.get_by_role("button", name="Play").click()
    expect(lines.nth(0)).to_have_class("now")
    expect(lines.nth(1)).to_have_class("told later")
    page.get_by_role("button", name="Pause").click()
    lines.nth(2).click()
    expect(lines.nth(2)).to_have_class("now")
    expect(page.get_by_label("Position")).to_have_attribute("aria-valuetext", "00:20")
    page.get_by_label("Position").fill("15")
    expect(lines.nth(1)).to_have_class("told now")
    expect(lines.nth(2)).to_have_class("later")
    page.get_by_label("Speed").select_option("8")
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".clock")).to_have_text("00:22 / 00:22")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_session_is_taken_away(page: Page) -> None:
    page.goto(page.url + "#sessions/1")
    for name, part in (("Markdown", "# Session 1"), ("JSON", '"format"'), ("SRT", "-->")):
        with page.expect_download() as waited:
            page.get_by_role("link", name=name).click()
        assert part in Path(waited.value.path()).read_text(encoding="utf-8")
    page.locator("#session summary").click()
    expect(page.locator("#session img")).to_be_visible()
    assert page.locator("#session img").evaluate("async node => (await node.decode(), node.naturalWidth)") > 100


def test_session_is_deleted_for_good_once_that_is_confirmed(page: Page, stored: Path) -> None:
    page.goto(page.url + "#sessions/1")
    delete = page.get_by_role("button", name="Delete for good")
    delete.click()
    expect(page.get_by_role("dialog")).to_contain_text("Session 1,")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(delete).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#sessions li")).to_have_count(1)
    with SessionStore(stored / "sessions.db") as store:
        assert [session.id for session in store.sessions()] == [2]


def test_session_that_is_gone_is_said_to_be(page: Page) -> None:
    page.goto(page.url + "#sessions/77")
    expect(page.get_by_role("alert")).to_contain_text("there is no session 77")
    expect(page.locator("#sessions li")).to_have_count(2)


def test_settings_are_explained_and_found(page: Page) -> None:
    page.keyboard.press("4")
    expect(page.locator("#settings")).to_contain_text("vad.pause_ms")
    page.locator("#wanted").fill("session.path")
    expect(page.locator("#settings dt")).to_have_count(1)
    expect(page.locator("#settings .tag")).to_contain_text("default: ")
    page.locator("#wanted").fill("")
    page.get_by_label("Changed only").check()
    expect(page.locator("#matches")).to_have_text("Shown: 1")


def test_language_is_that_of_the_browser_until_another_is_chosen(watch: Watch, room: ScriptedPage) -> None:
    page = watch(room, locale="ru-RU")
    a_turn(room)
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    expect(page.locator("nav")).to_have_text("РазговорЗвукСеансыНастройки")
    expect(page.locator("#sign-state")).to_have_text("Слушаю")
    expect(page.locator("#theses [aria-current=true] .tag")).to_have_text("звучит")
    for view in "1234":
        page.keyboard.press(view)
        expect(page.locator(f"main > section:nth-of-type({view}) :is(h1, dt)").first).to_be_attached()
        words = [text for text in page.evaluate(WORDS) if not any("а" <= char <= "я" for char in text.lower())]
        assert [text for text in words if text not in NAMES and "." not in text] == [], view
    page.keyboard.press("2")
    expect(page.locator("#streams")).to_contain_text("48 000 Гц")
    page.get_by_role("button", name="English").click()
    expect(page.locator("nav")).to_have_text("LiveEngineSessionsSettings")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#sign-state")).to_have_text("Listening")


def test_theme_is_that_of_the_system_until_another_is_chosen(watch: Watch, room: ScriptedPage) -> None:
    def ground(page: Page) -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page = watch(room, color_scheme="dark")
    dark = ground(page)
    page.locator("#theme").click()
    light = ground(page)
    assert dark != light
    page.reload()
    assert ground(page) == light
    page.locator("#theme").click()
    page.locator("#theme").click()
    assert ground(page) == dark
    assert ground(watch(room, color_scheme="light")) == light


def test_everything_is_reached_with_the_keyboard_alone(room: ScriptedPage, page: Page) -> None:
    a_turn(room)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    seen: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        name, outline, wide = focused
        assert outline == "solid", name
        assert wide > 20, name
        seen.append(name.split("\n")[0])
    else:
        pytest.fail(f"the keyboard does not get out: {seen}")
    wanted = [
        "sottovoce",
        "RU",
        "Live",
        "Engine",
        "Sessions",
        "Settings",
        "Previous",
        "Pause",
        "Next",
        "Repeat",
        "Stop",
    ]
    assert [name for name in seen if name in wanted] == wanted
    assert {"Mute", "Quieter", "Louder", "Ask"} <= set(seen)


@pytest.mark.parametrize("size", [PHONE, pytest.param({"width": 1280, "height": 800}, marks=pytest.mark.slow)])
def test_targets_are_large(watch: Watch, room: ScriptedPage, size: dict[str, int]) -> None:
    page = watch(room, viewport=size)
    a_turn(room)
    expect(page.locator("#theses li")).to_have_count(2)
    for view in "1234":
        page.keyboard.press(view)
        expect(page.locator("main > section:visible")).to_be_visible()
        assert page.evaluate(SMALL) == [], view


@pytest.mark.slow
def test_motion_that_is_not_wanted_is_left_out(watch: Watch, room: ScriptedPage) -> None:
    moving = "document.getAnimations().length"
    a_turn(room)
    still, lively = watch(room), watch(room, reduced_motion="no-preference")
    for page in (still, lively):
        expect(page.locator("#theses [aria-current=true]")).to_be_visible()
    assert still.evaluate(moving) == 0
    assert lively.evaluate(moving) > 0


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "view", ["#live", *(pytest.param(view, marks=pytest.mark.slow) for view in SHOWN if view != "#live")]
)
def test_no_serious_fault_of_accessibility(watch: Watch, room: ScriptedPage, theme: str, view: str) -> None:
    a_turn(room)
    room.spoke(1, 1)
    room.asks(2, "And then?")
    room.hears("and what about")
    room.foresees(3, "And what about it?", "Nothing")
    page = watch(room, view, color_scheme=theme)
    expect(page.locator(SHOWN[view]).first).to_be_visible()
    if view == "#settings":
        page.locator("#wanted").fill("session.")  # a hundred settings look like these
    # but for colours both are the same
    result = Axe().run(page, options=None if theme == "light" else {"runOnly": ["color-contrast"]})
    serious = [fault for fault in result.response["violations"] if fault["impact"] in ("serious", "critical")]
    assert [(fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in serious] == []


def test_fault_of_accessibility_is_found(page: Page) -> None:
    page.evaluate("document.querySelector('#message').append(document.createElement('button'))")
    page.evaluate("document.querySelector('#message').style.color = '#eee'")
    page.evaluate("document.querySelector('#message').append('hardly to be seen')")
    found = {fault["id"] for fault in Axe().run(page).response["violations"]}
    assert {"button-name", "color-contrast"} <= found
