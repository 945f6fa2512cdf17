"""The page of one session, from what the session is made of to a link."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sottovoce.app.money import nano_usd, shown_limit
from sottovoce.app.opening import settings_of
from sottovoce.app.web.archive import Archive
from sottovoce.app.web.board import Board
from sottovoce.app.web.controls import ACTIONS, Wearer
from sottovoce.app.web.explained import explained
from sottovoce.app.web.guard import Guard, is_loopback, own_names
from sottovoce.app.web.picture import Facts, Picture
from sottovoce.app.web.routes import Services, application
from sottovoce.app.web.server import Door, PageServer
from sottovoce.speech.registry import describe

if TYPE_CHECKING:
    from sottovoce.app.monitor.look import Look
    from sottovoce.app.settings import Config
    from sottovoce.app.web.devices import Devices


@dataclass(frozen=True, slots=True)
class Session:
    """What a page is made of.

    Attributes
    ----------
    config : Config
        The settings in effect.
    session_id : int or None
        Where it is kept.
    actions : tuple of str
        What the page may ask for.
    look, spent_today : callable, optional
        As of :class:`~sottovoce.app.web.board.Board`.
    devices : Devices, optional
        Those that it uses.
    """

    config: Config
    session_id: int | None = None
    actions: tuple[str, ...] = ACTIONS
    look: Callable[[], Look] | None = None
    spent_today: Callable[[], int] | None = None
    devices: Devices | None = None


class Page:
    """A page that can be watched from :meth:`serve` on; as an observer, it is told what happens before that, too."""

    def __init__(self, session: Session, door: Door) -> None:
        self._session, self._door = session, door
        self.board = Board(Picture(facts_of(session)), session.look, session.spent_today)

    @contextmanager
    def serve(self, wearer: Wearer) -> Iterator[str]:
        """Serve the page while it is entered; gives the link. ``wearer`` carries out what is asked for."""
        session, door = self._session, self._door
        with ExitStack() as stack:
            archive = stack.enter_context(closing(Archive(session.config.session.path, session.session_id)))
            services = Services(
                self.board,
                wearer,
                session.actions,
                session.config.asr.language,
                archive,
                lambda: explained(session.config),
                session.devices,
            )
            address = door.address
            guard = Guard(application(services), door.port, own_names(address.host), secure=address.secure)
            server = PageServer(guard, self.board, door)
            stack.callback(server.close)
            if session.devices is not None:
                stack.callback(session.devices.close)
            server.start()
            yield door.link(guard.token)


def facts_of(session: Session) -> Facts:
    """What is known of a session when it begins."""
    config = session.config
    chains = {"asr": config.asr.backend, "llm": config.llm.backend, "tts": config.tts.backend}
    names = {kind: tuple(name.strip() for name in chain.split(",")) for kind, chain in chains.items()}
    leaves = (name for kind, each in names.items() for name in each if _leaves_machine(config, kind, name))
    return Facts(
        started=datetime.now(UTC),
        session_id=session.session_id,
        language=config.asr.language,
        advance=config.turn.advance,
        recogniser=names["asr"][0],
        generator=names["llm"][0],
        voice=names["tts"][0],
        leaves_machine=tuple(dict.fromkeys(leaves)),
        controls=session.actions,
        limit=_limit(config),
    )


def _leaves_machine(config: Config, kind: str, name: str) -> bool:
    """Whether a backend sends something elsewhere: one that speaks to a server on this machine does not."""
    if not describe(kind, name).sends:  # type: ignore[arg-type]
        return False
    host = urlsplit(str(settings_of(config, kind, name).get("base_url") or "")).hostname  # type: ignore[arg-type]
    return host is None or not is_loopback(host)


def _limit(config: Config) -> str:
    """The limit that ends spending, in words; a session's before a day's."""
    budget = config.budget
    for scope, usd in (("session", budget.session_stop_usd), ("day", budget.day_stop_usd)):
        if usd is not None:
            return f"{shown_limit(nano_usd(usd))} a {scope}"
    return ""


def open_browser(link: str) -> bool:
    """Show the link in a browser of this machine; False if there is none."""
    try:
        return webbrowser.open(link)
    except webbrowser.Error:
        return False
