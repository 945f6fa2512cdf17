"""One browser for all tests of the page, and a page that shows what the test tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support import browser as browsers
from tests.support.web import ScriptedPage, WatchedPage, scripted_page

#: A browser that does not answer for so long is broken; nothing is asserted of how long it takes.
PATIENCE_MS = 20_000

# Breaks the stream of events, as a network does that goes: what is under way is not broken by being offline.
_CUT = """
const real = window.fetch, streams = [];
window.fetch = (path, options) => {
  if (path !== "/api/events") return real(path, options);
  streams.push(new AbortController());
  return real(path, {...options, signal: AbortSignal.any([options.signal, streams.at(-1).signal])});
};
window.cut = () => streams.forEach((each) => each.abort());
"""

DESK = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, once."""
    if browsers.chromium() is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with browsers.browser() as browser:
        yield browser


@pytest.fixture
def room(tmp_path: Path) -> Iterator[ScriptedPage]:
    """A session of which the test tells what happens."""
    with scripted_page(tmp_path) as room:
        yield room


@pytest.fixture
def watch(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a link as a wearer does; options are a browser context's. A fault of the page's own is one of the test."""
    faults: list[str] = []
    with ExitStack() as stack:

        def open_page(room: WatchedPage, path: str = "", **options: Any) -> Page:
            given = {"viewport": DESK, "locale": "en-GB", "reduced_motion": "reduce", **options}
            context = browser.new_context(**given)
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda line: faults.append(line.text) if "Security Policy" in line.text else None)
            page.add_init_script(_CUT)
            page.goto(room.link)
            page.locator("#sign.on").wait_for()
            if path:
                page.goto(f"{room.origin}/{path}")
            return page

        yield open_page
    assert faults == []


def lose_connection(page: Page) -> None:
    """Until :meth:`BrowserContext.set_offline` says otherwise."""
    page.context.set_offline(True)
    page.evaluate("cut()")


@pytest.fixture
def page(watch: Callable[..., Page], room: ScriptedPage) -> Page:
    """The page of ``room`` on a desk."""
    return watch(room)
