"""How long it takes from what happens in a session to what a person sees of it, in Chromium."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.support.browser import browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Pings of which the quickest tells by how much the clocks of server and browser differ.
_PINGS = 50

# Wraps how the page parses what comes. The frame after the one in which it is drawn begins once that one is painted.
_NOTE_PAINTS = """
window.paints = [];
const parse = JSON.parse;
JSON.parse = (...given) => {
  const value = parse(...given);
  if (value && ("partial" in value || "turns" in value))
    requestAnimationFrame(() => requestAnimationFrame(() => paints.push([value.at_ms, performance.now()])));
  return value;
};
"""


def event_to_screen_ms(link: str, seconds: float) -> list[float]:
    """From each partial transcript and each change of a turn, on the server's clock, to its paint."""
    with browser() as chromium:
        page = chromium.new_page()
        page.add_init_script(_NOTE_PAINTS)
        page.goto(link)
        page.locator("#sign.on").wait_for()
        ahead_ms = _ahead_ms(page)
        began_ms = 1e3 * time.monotonic()
        page.wait_for_timeout(1e3 * seconds)
        paints = page.evaluate("paints")
    return [painted_ms + ahead_ms - at_ms for at_ms, painted_ms in paints if at_ms > began_ms]


def _ahead_ms(page: Page) -> float:
    """By how much the server's clock is ahead of the browser's; half of the quickest ping may be wrong of it."""
    best = (float("inf"), 0.0)
    for _ in range(_PINGS):
        before_ms = 1e3 * time.monotonic()
        there_ms = float(page.evaluate("performance.now()"))
        after_ms = 1e3 * time.monotonic()
        best = min(best, (after_ms - before_ms, (before_ms + after_ms) / 2 - there_ms))
    return best[1]
