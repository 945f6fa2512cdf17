"""``--web`` and what goes with it, for the commands that hold a session; nothing of the page is loaded before that."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sottovoce.app.context import AppContext, setting_option
from sottovoce.core.errors import BackendUnavailableError

if TYPE_CHECKING:
    from rich.console import Console

    from sottovoce.app.web.server import Door

_F = TypeVar("_F", bound=Callable[..., Any])

_PACKAGES = ("starlette", "uvicorn")


def web_options(command: _F) -> _F:
    """The options; the command gets ``web`` and ``web_open``."""
    file = {"metavar": "FILE"}
    for option in (
        setting_option("--web-key", key="web.key_file", help="Key of that certificate (PEM).", **file),
        setting_option("--web-cert", key="web.cert_file", help="Certificate, for other machines (PEM).", **file),
        setting_option("--web-host", key="web.host", metavar="ADDRESS", help="Serve other machines too: needs TLS."),
        setting_option("--web-port", key="web.port", metavar="PORT", help="Port of the page; 0 is any that is free."),
        click.option("--web-open", is_flag=True, help="Show the page in a browser of this machine; implies --web."),
        click.option("--web", is_flag=True, help="Serve a page for a browser, and print its link."),
    ):
        command = option(command)
    return command


def open_door(app: AppContext) -> Door:
    """Listen where the settings want the page served.

    Raises
    ------
    BackendUnavailableError
        The extra is not installed.
    ConfigError
        It cannot be served where the settings say.
    """
    missing = [package for package in _PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise BackendUnavailableError(
            f"the page needs {' and '.join(missing)}, not installed here",
            backend="web",
            install_hint='pip install "sottovoce[web]"',
        )
    from sottovoce.app.web.server import Address, Door

    web = app.config.web
    return Door(Address(web.host, web.port, web.cert_file, web.key_file))


def show_link(console: Console, link: str, *, web_open: bool) -> None:
    """Print what lets a browser in, and open one if that is wanted."""
    from rich.text import Text

    console.print(Text.assemble(("Page: ", "bold green"), link), soft_wrap=True)
    if web_open:
        from sottovoce.app.web.page import open_browser

        if not open_browser(link):
            console.print(Text("There is no browser here to open it in.", "yellow"), soft_wrap=True)
