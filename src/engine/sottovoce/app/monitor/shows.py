"""How scenes are shown: drawn in place on a terminal, a line or a JSON object a second, or one picture at the end."""

from __future__ import annotations

import json
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self

import click
from rich.console import Console
from rich.live import Live

from sottovoce.app.monitor.lines import as_json, line
from sottovoce.app.monitor.scene import Scene
from sottovoce.app.monitor.view import picture
from sottovoce.app.terminal import quiet_stderr

#: Seconds from one line to the next.
LINE_S = 1.0

#: The widest picture where no terminal says how wide it is.
PLAIN_COLUMNS = 100


class Wanted(Protocol):
    """What the command line says about showing."""

    @property
    def once(self) -> bool: ...
    @property
    def as_json(self) -> bool: ...


class Show:
    """Takes scenes while it is entered; leaving it shows what is still to be shown."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.unicode = (console.encoding or "").lower().startswith("utf")
        self.last: Scene | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.last is not None and (kind is None or issubclass(kind, KeyboardInterrupt)):
            self.end(self.last)

    def __call__(self, scene: Scene) -> None:
        self.last = scene

    def end(self, scene: Scene) -> None:
        """Show what the last scene leaves to be shown."""

    def write(self, text: str) -> None:
        """One line, at once, and whole."""
        click.echo(text)


class Lines(Show):
    """A plain line a second."""

    _due_s = 0.0

    def __call__(self, scene: Scene) -> None:
        super().__call__(scene)
        if scene.elapsed_s >= self._due_s:
            self._due_s = max(self._due_s + LINE_S, scene.elapsed_s)
            self.write(self.text(scene))

    def text(self, scene: Scene) -> str:
        return line(scene)


class JsonLines(Lines):
    """A JSON object a second."""

    def text(self, scene: Scene) -> str:
        return _json(scene)


class LastPicture(Show):
    """One picture, at the end."""

    def end(self, scene: Scene) -> None:
        width = self.console.width if self.console.is_terminal else min(self.console.width, PLAIN_COLUMNS)
        self.console.print(picture(scene, width, unicode=self.unicode))


class LastJson(Show):
    """One JSON object, at the end."""

    def end(self, scene: Scene) -> None:
        self.write(_json(scene))


class Drawing(Show):
    """A picture that is drawn anew in place, on a screen of its own; a line stays behind."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(quiet_stderr())  # it would cross the picture
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        self._stack.close()
        super().__exit__(kind, error, trace)

    def __call__(self, scene: Scene) -> None:
        super().__call__(scene)
        self._live.update(picture(scene, *self.console.size, unicode=self.unicode), refresh=True)

    def end(self, scene: Scene) -> None:
        self.console.print(line(scene), markup=False, soft_wrap=True)


def draws_live(console: Console, wanted: Wanted) -> bool:
    """Whether a picture is drawn anew in place."""
    return console.is_terminal and not console.is_dumb_terminal and not (wanted.once or wanted.as_json)


def choose_show(console: Console, wanted: Wanted) -> Show:
    """How scenes are shown on this console."""
    if wanted.once:
        return LastJson(console) if wanted.as_json else LastPicture(console)
    if wanted.as_json:
        return JsonLines(console)
    return Drawing(console) if draws_live(console, wanted) else Lines(console)


def _json(scene: Scene) -> str:
    return json.dumps(as_json(scene))
