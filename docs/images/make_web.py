"""Make web-*.png: the page in a browser, of a session that is told here word by word.

python -m docs.images.make_web
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from sottovoce.session.store import SessionStore
from tests.app import monitor_scenes as scenes
from tests.app.page.cards import Cards
from tests.session.samples import ORIGIN_NS, HeldClock, S, conversation
from tests.support.browser import browser
from tests.support.web import ScriptedPage, scripted_page

HERE = Path(__file__).parent
DESK = {"width": 1200, "height": 800}
PHONE = {"width": 390, "height": 800}
COLOURS = 64


def store_sessions(folder: Path) -> None:
    """Two sessions of the same kind."""
    clock = HeldClock()
    with SessionStore(folder / "sessions.db", clock=clock) as store:
        for _ in range(2):
            clock.ns = ORIGIN_NS
            session = store.start_session("live")
            for at_s, event in conversation():
                store.append(session, event, ORIGIN_NS + at_s * S)
            store.end_session(session, "finished")
        store.flush(10.0)


def converse(room: ScriptedPage) -> None:
    """Two questions, the second being answered while a third is asked."""
    room.asks(1, "When do we launch?")
    room.answers(1, "On the third of June", "First in Europe, then everywhere", source="Launch (launch.md)")
    for number in (1, 2):
        room.speaks(1, number)
        room.spoke(1, number)
    room.ends(1)
    room.asks(2, "How do you make money?")
    room.answers(2, "Subscriptions are two thirds of it", "Support contracts are the rest", "No advertising, ever")
    room.speaks(2, 1)
    room.spoke(2, 1)
    room.speaks(2, 2)
    room.hears("and how many people work on")
    room.foresees(3, "And how many people work on it?", "Eleven, in three countries", source="Team (team.md)")


@contextmanager
def watched(chromium: Browser, room: ScriptedPage, **options: object) -> Iterator[Page]:
    """The page, with everything on it."""
    context = chromium.new_context(device_scale_factor=1.5, reduced_motion="reduce", **options)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(room.link)
    page.locator("#provisional li").wait_for()
    yield page
    context.close()


def keep(page: Page, name: str) -> None:
    """Write what is seen, in few colours."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / f"web-{name}.png", optimize=True)


def main() -> None:
    """Tell the session, and look at it from all sides."""
    look = scenes.look(1.0, scenes.player(), scenes.recorder())
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        store_sessions(Path(folder))
        with scripted_page(Path(folder), look=lambda: look, devices=Cards()) as room:
            converse(room)
            for theme in ("light", "dark"):
                with watched(chromium, room, viewport=DESK, color_scheme=theme, locale="en-GB") as page:
                    keep(page, theme)
                    if theme == "dark":
                        continue
                    page.keyboard.press("2")
                    page.locator("#stages table").first.wait_for()
                    page.locator("#outputs button").first.wait_for()
                    keep(page, "engine")
                    page.goto(f"{room.origin}/#sessions/1")
                    page.locator(".lines button").nth(1).click()
                    keep(page, "session")
            with watched(chromium, room, viewport=PHONE, color_scheme="dark", locale="en-GB") as page:
                keep(page, "phone")
            with watched(chromium, room, viewport=PHONE, color_scheme="light", locale="ru-RU") as page:
                keep(page, "phone-ru")


if __name__ == "__main__":
    main()
