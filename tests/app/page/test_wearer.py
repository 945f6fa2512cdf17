"""What the wearer sees and can do, in a real browser: only what is visible counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from sottovoce.assistant import notices
from tests.app.page.conftest import PHONE, lose_connection
from tests.support.web import ScriptedPage, scripted_page, spoken_page

Watch = Callable[..., Page]

QUESTION = "How do you make money?"
MARKUP = "<script>window.spoken=1</script><img src=x onerror='window.spoken=2'><b>bold</b>"


def theses(page: Page) -> Locator:
    return page.locator("#theses > li")


def button(page: Page, action: str) -> Locator:
    return page.locator(f"[data-do={action}]")


def colour(locator: Locator) -> str:
    return str(locator.evaluate("node => getComputedStyle(node).color"))


def test_what_is_being_asked_is_seen_with_the_theses_it_would_have(room: ScriptedPage, page: Page) -> None:
    expect(page.locator("#provisional")).to_be_hidden()
    room.hears("how do you make mo")
    expect(page.locator("#partial")).to_have_text("how do you make mo")
    room.foresees(1, QUESTION, "Subscriptions", "Support")
    provisional = page.locator("#provisional")
    expect(provisional).to_be_visible()
    expect(provisional.locator(".tag")).to_have_text("provisional")
    expect(provisional.locator("li")).to_have_text(["Subscriptions", "Support"])
    expect(page.locator("#notes li")).to_have_text(["Money · money.md"])
    expect(theses(page)).to_have_count(0)
    grey = page.locator(".soft").first
    assert colour(page.locator("#partial")) == colour(provisional) == colour(grey) != colour(page.locator("body"))


def test_thesis_that_sounds_is_marked_and_nothing_else(room: ScriptedPage, page: Page) -> None:
    room.asks(1, QUESTION)
    expect(page.locator("#question")).to_have_text(QUESTION)
    expect(page.locator("#state")).to_have_text("thinking")
    room.answers(1, "Subscriptions", "Support", "Training")
    room.speaks(1, 1)
    sounding = page.locator("#theses > [aria-current=true]")
    expect(sounding.locator("p").first).to_have_text("Subscriptions")
    expect(sounding.locator(".tag")).to_have_text("speaking")
    expect(page.locator("#state")).to_have_text("speaking")
    size = "node => parseFloat(getComputedStyle(node).fontSize)"
    assert sounding.evaluate(size) > 1.3 * theses(page).nth(1).evaluate(size)
    room.spoke(1, 1)
    room.speaks(1, 2)
    expect(sounding.locator("p").first).to_have_text("Support")
    expect(sounding).to_have_count(1)
    expect(theses(page).nth(0).locator(".tag")).to_have_text("heard")
    room.spoke(1, 2)
    room.ends(1)
    expect(sounding).to_have_count(0)
    expect(theses(page).nth(2).locator(".tag")).to_have_text("skipped")
    expect(page.locator("#state")).to_have_text("done")


def test_old_answer_stays_until_the_new_one_has_a_thesis(room: ScriptedPage, page: Page) -> None:
    room.asks(1, QUESTION)
    room.answers(1, "Subscriptions")
    room.speaks(1, 1)
    room.asks(2, "And when do we launch?")
    expect(page.locator("#next-question")).to_have_text("Next question: And when do we launch?")
    expect(page.locator("#question")).to_have_text(QUESTION)
    room.ends(1, "interrupted")
    room.answers(2, "On the third of June")
    room.speaks(2, 1)
    expect(page.locator("#question")).to_have_text("And when do we launch?")
    expect(theses(page)).to_have_count(1)
    expect(page.locator("#next-question")).to_be_hidden()
    expect(page.locator("#earlier summary")).to_have_text([QUESTION])


def test_turn_without_an_answer_says_so(room: ScriptedPage, page: Page) -> None:
    room.asks(1, QUESTION)
    room.ends(1, "no answer")
    expect(page.locator("#state")).to_have_text("no answer")
    expect(page.locator("#message")).to_have_text("Nothing in your notes answers it.")
    room.asks(2, QUESTION)
    room.ends(2, "failed", "the generator is broken")
    expect(page.locator("#message")).to_have_text("the generator is broken")


@pytest.mark.parametrize("by", ["hand", "key", "key of a Russian keyboard"])
def test_every_control_is_asked_for(room: ScriptedPage, page: Page, by: str) -> None:
    keys = {"previous": "p", "pause": " ", "next": "n", "repeat": "r", "stop": "s", "mute": "m", "quieter": "-"}
    letters = {"p": "з", "n": "т", "r": "к", "s": "ы", "m": "ь"}
    for count, (action, key) in enumerate({**keys, "louder": "+"}.items(), 1):
        if by == "hand":
            button(page, action).click()
        elif by == "key":
            page.keyboard.press("Space" if key == " " else key)
        else:
            event = {"key": letters.get(key, key), "code": f"Key{key.upper()}", "bubbles": True}
            page.locator("body").dispatch_event("keydown", event)
        assert room.wait_for_wishes(count)[-1] == (action, None)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert room.wait_for_wishes(10)[-2:] == [("next", None), ("previous", None)]


def test_keys_do_nothing_where_they_mean_something_else(room: ScriptedPage, page: Page) -> None:
    page.keyboard.press("a")
    page.keyboard.type("n - r")
    expect(page.locator("#ask-text")).to_have_value("n - r")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+m")
    page.keyboard.press("3")
    expect(page.locator("#view-sessions")).to_be_visible()
    page.keyboard.press("n")
    page.keyboard.press("1")
    page.locator("#keys").click()
    page.keyboard.press("m")
    page.get_by_label("Single keys").uncheck()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.keyboard.press("s")
    button(page, "louder").focus()
    page.keyboard.press("Space")
    assert room.wait_for_wishes(1) == [("louder", None)]


def test_pause_and_mute_show_how_it_is(room: ScriptedPage, page: Page) -> None:
    expect(page.locator("#sign-state")).to_have_text("Listening")
    room.tell(notices.VoiceChanged(True, 3.0), notices.EarMuted(True))
    expect(button(page, "pause")).to_contain_text("Go on")
    expect(button(page, "mute")).to_contain_text("Unmute")
    expect(page.locator("#sign-state")).to_have_text("Muted")
    expect(page.locator("#sign")).not_to_have_class("pill row on")
    expect(page.locator("#partial")).to_have_text("The microphone is muted.")
    expect(page.locator("#facts")).to_contain_text("+3 dB")
    assert not page.title().startswith("●")
    room.tell(notices.VoiceChanged(False, 3.0), notices.EarMuted(False))
    expect(button(page, "pause")).to_contain_text("Pause")
    expect(page.locator("#sign-state")).to_have_text("Listening")
    assert page.title().startswith("●")


def test_question_is_asked_by_typing(room: ScriptedPage, page: Page) -> None:
    page.keyboard.press("a")
    page.keyboard.type("Сколько нас?")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Now")
    page.keyboard.press("Enter")
    assert room.wait_for_wishes(1) == [("ask", "Сколько нас?\nNow")]
    expect(page.locator("#ask-text")).to_have_value("")
    page.locator("#ask-text").fill("Once more")
    page.get_by_role("button", name="Ask").last.click()
    assert room.wait_for_wishes(2)[1] == ("ask", "Once more")


def test_question_is_typed_on_a_phone(watch: Watch, room: ScriptedPage) -> None:
    page = watch(room, viewport=PHONE)
    room.asks(1, QUESTION)
    room.answers(1, *["Subscriptions"] * 8)
    expect(theses(page)).to_have_count(8)
    expect(page.locator("#ask-text")).to_be_hidden()
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#ask-text")).to_be_focused()
    assert page.evaluate("scrollY") == 0
    page.locator("#ask-text").fill("How many are we?")
    page.get_by_role("button", name="Ask").last.click()
    assert room.wait_for_wishes(1) == [("ask", "How many are we?")]
    expect(page.locator("#ask-text")).to_be_hidden()


def test_refused_control_shows_what_to_do(room: ScriptedPage, page: Page) -> None:
    body = '{"error": "the voice is gone", "hint": "plug it in"}'
    page.route("**/api/control", lambda route: route.fulfill(status=409, content_type="application/json", body=body))
    button(page, "next").click()
    expect(page.get_by_role("alert")).to_contain_text("the voice is gone")
    expect(page.get_by_role("alert")).to_contain_text("plug it in")
    page.get_by_role("alert").get_by_role("button", name="Close").click()
    expect(page.locator(".alert")).to_have_count(0)
    page.unroute("**/api/control")
    page.route("**/api/control", lambda route: route.abort())
    button(page, "next").click()
    expect(page.get_by_role("alert")).to_contain_text("The assistant does not answer: see whether it still runs.")
    page.unroute("**/api/control")
    page.locator("#ask-text").evaluate("node => node.removeAttribute('maxlength')")
    page.locator("#ask-text").fill("x" * 10_000)
    page.locator("#ask button").click()
    expect(page.get_by_role("alert")).to_contain_text("10000 characters")
    expect(page.locator("#ask-text")).to_have_value("x" * 10_000)


def test_action_that_this_session_does_not_take_cannot_be_pressed(watch: Watch, tmp_path: Path) -> None:
    with scripted_page(tmp_path, actions=("next", "ask")) as room:
        page = watch(room)
        expect(button(page, "mute")).to_be_disabled()
        expect(button(page, "next")).to_be_enabled()


def test_markup_that_is_spoken_is_words(room: ScriptedPage, page: Page) -> None:
    room.hears(MARKUP)
    expect(page.locator("#partial")).to_have_text(MARKUP)
    room.foresees(1, MARKUP, MARKUP, source=f"{MARKUP} (a.md)")
    expect(page.locator("#provisional li")).to_have_text(MARKUP)
    room.asks(1, MARKUP)
    room.answers(1, MARKUP, source=MARKUP)
    room.speaks(1, 1)
    expect(page.locator("#question")).to_have_text(MARKUP)
    expect(theses(page).locator("p").first).to_have_text(MARKUP)
    room.asks(2, "Next?")
    room.answers(2, "Yes")
    room.ends(1, "failed", MARKUP)
    room.tell(notices.BackendFailed(MARKUP, MARKUP, MARKUP, False))
    page.keyboard.press("2")
    expect(page.locator("#notices")).to_contain_text(MARKUP)
    assert page.evaluate("window.spoken") is None
    assert page.locator("main :is(script, img, b:not(.track b))").count() == 0


@pytest.mark.parametrize("width", [360, *(pytest.param(width, marks=pytest.mark.slow) for width in (768, 1920))])
def test_whatever_is_said_fits_the_screen(watch: Watch, room: ScriptedPage, width: int) -> None:
    page = watch(room, viewport={"width": width, "height": 740})
    long = "x" * 10_000
    arabic = "كيف تكسبون المال؟ " * 20
    room.hears(long)
    room.foresees(1, long, long, arabic)
    room.asks(1, f"{arabic}{long}")
    room.answers(1, "Подписки и ещё раз подписки. " * 9, *(f"{number} {arabic}" for number in range(2, 8)), long)
    room.speaks(1, 3)
    expect(theses(page)).to_have_count(8)
    expect(page.locator("#theses > [aria-current=true]")).to_be_in_viewport()
    expect(button(page, "pause")).to_be_in_viewport()
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_role("button", name="Show less")).to_be_visible()
    for view in ("1", "2", "3", "4"):
        page.keyboard.press(view)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, view


def test_thesis_is_told_to_a_screen_reader_once(room: ScriptedPage, page: Page) -> None:
    told = page.locator("#announce")
    assert told.get_attribute("role") == "status"
    assert page.locator("#partial").get_attribute("aria-live") == "off"
    page.evaluate(
        "window.said = []; new MutationObserver(all => all.forEach(each => each.addedNodes.forEach(node => said.push("
        "node.textContent)))).observe(document.getElementById('announce'), {childList: true, subtree: true})"
    )
    room.hears("how do you")
    room.asks(1, QUESTION)
    room.answers(1, "Subscriptions", "Support")
    room.speaks(1, 1)
    room.spoke(1, 1)
    room.speaks(1, 2)
    expect(page.locator("#theses > [aria-current=true] p").first).to_have_text("Support")
    assert page.evaluate("said") == ["1. Subscriptions", "2. Support"]


def test_lost_connection_is_said_and_comes_back(room: ScriptedPage, page: Page) -> None:
    expect(page.locator("#banner")).to_be_hidden()
    lose_connection(page)
    expect(page.locator("#banner")).to_contain_text("The connection is lost: this may be old.")
    expect(page.locator("#sign-state")).to_have_text("Not connected")
    expect(page.locator("body")).to_have_class("stale")
    grounds = [
        page.locator(each).evaluate("node => getComputedStyle(node).backgroundColor") for each in ("#banner", "body")
    ]
    assert grounds[0] != grounds[1] != "rgba(0, 0, 0, 0)"
    room.hears("meanwhile something was said")
    page.context.set_offline(False)
    expect(page.locator("#partial")).to_have_text("meanwhile something was said")
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#sign-state")).to_have_text("Listening")


def test_refused_connection_says_why(room: ScriptedPage, page: Page) -> None:
    page.context.clear_cookies()
    lose_connection(page)
    expect(page.locator("#banner")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#banner")).to_contain_text("sottovoce live --web")
    page.goto(room.link)
    expect(page.locator("#sign-state")).to_have_text("Listening")


@pytest.mark.slow  # it is looked at once a second
def test_silent_connection_is_given_up(watch: Watch, room: ScriptedPage) -> None:
    page = watch(room)
    page.evaluate("{ const ahead = performance.now.bind(performance); performance.now = () => ahead() + 60000; }")
    with page.expect_request("**/api/events"):
        pass
    expect(page.locator("#sign-state")).to_have_text("Listening")


def test_end_of_the_session_is_said(watch: Watch, tmp_path: Path) -> None:
    with scripted_page(tmp_path) as room:
        page = watch(room)
        room.asks(1, QUESTION)
        expect(page.locator("#question")).to_have_text(QUESTION)
    expect(page.locator("#banner")).to_contain_text("The session has ended.")
    expect(page.locator("#sign-state")).to_have_text("Ended")
    expect(button(page, "next")).to_be_disabled()
    expect(page.locator("#question")).to_have_text(QUESTION)


def test_damaged_section_leaves_what_was_shown(room: ScriptedPage, page: Page) -> None:
    room.hears("how do you")
    expect(page.locator("#partial")).to_have_text("how do you")
    damaged = b'event: heard\ndata: {"partial": "\xff\xfe\n\nevent: turns\ndata: {"turns": []}\n\n'
    lose_connection(page)
    expect(page.locator("#banner")).to_be_visible()
    page.route("**/api/events", lambda route: route.fulfill(content_type="text/event-stream", body=damaged))
    page.context.set_offline(False)
    expect(page.locator("#partial")).to_have_text("how do you")


@pytest.mark.slow  # a question is spoken, recognised and answered, at the pace of time
def test_real_session_is_watched(watch: Watch, tmp_path: Path) -> None:
    with spoken_page(tmp_path) as room:
        page = watch(room)
        page.evaluate(
            "window.seen = []; new MutationObserver(() => seen.push(document.getElementById('partial').textContent))"
            ".observe(document.getElementById('partial'), {childList: true, characterData: true, subtree: true})"
        )
        room.say("When do we launch?")
        expect(page.locator("#question")).to_contain_text("launch")
        expect(page.locator("#theses > [aria-current=true]")).to_be_visible()
        button(page, "louder").click()
        expect(page.locator("#facts")).to_contain_text("+3 dB")
        expect(page.locator("#state")).to_have_text("done")
        assert [text for text in page.evaluate("seen") if "launch" in text]
