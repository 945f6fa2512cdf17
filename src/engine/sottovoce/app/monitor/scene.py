"""What a picture, a line or a JSON object is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sottovoce.app.monitor.look import Held, History, Look
from sottovoce.app.monitor.verdict import Verdict, judge


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a picture shows.

    Attributes
    ----------
    before, now : Look
        What is compared.
    verdict : Verdict
        What that means.
    elapsed_s : float
        Seconds since the start.
    held : mapping of str to Held
        The peaks of "output" and "input".
    playing : str
        What is played, in words.
    messages : tuple of str
        The last things that the engine has said.
    keys : str
        What the keys do; empty if there are none.
    """

    before: Look
    now: Look
    verdict: Verdict
    elapsed_s: float
    held: Mapping[str, Held] = field(default_factory=dict)
    playing: str = "silence"
    messages: tuple[str, ...] = ()
    keys: str = ""


class Watcher:
    """Makes a scene of each look, with what it remembers of those before.

    Parameters
    ----------
    playing : str
        What is played, in words.
    keys : str
        What the keys do; empty if there are none.
    """

    def __init__(self, playing: str = "silence", keys: str = "") -> None:
        self._playing, self._keys = playing, keys
        self._history = History()
        self._held: dict[str, Held] = {}
        self._began_ns: int | None = None

    def see(self, look: Look, messages: tuple[str, ...] = ()) -> Scene:
        """Take a look; the first is the start."""
        if self._began_ns is None:
            self._began_ns = look.at_ns
        for kind, report in look.reports.items():
            self._held[kind] = self._held.get(kind, Held()).update(report.peak_dbfs, look.at_ns)
        before, now = self._history.add(look)
        elapsed_s = (look.at_ns - self._began_ns) / 1e9
        return Scene(before, now, judge(before, now), elapsed_s, dict(self._held), self._playing, messages, self._keys)

    def clear(self) -> None:
        """Forget peaks and clip marks."""
        self._held.clear()
