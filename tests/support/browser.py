"""A real browser: the Chromium of the system, driven by Playwright, which downloads none of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

#: The same colours and letters wherever it runs.
_ARGUMENTS = ("--disable-gpu", "--disable-extensions", "--force-color-profile=srgb", "--font-render-hinting=none")


def chromium() -> str | None:
    """The program, if there is one."""
    return next((found for name in _PROGRAMS if (found := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """One that has no window.

    Raises
    ------
    FileNotFoundError
        If there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    program = chromium()
    if program is None:
        raise FileNotFoundError("no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        try:
            yield launched
        finally:
            launched.close()
