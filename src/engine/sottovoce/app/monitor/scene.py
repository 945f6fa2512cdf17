"""What a picture, a line or a JSON object is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sottovoce.app.monitor.look import Held, History, Look
from sottovoce.app.monitor.verdict import Problem, Verdict, judge


@dataclass(frozen=True, slots=True)
class Gone:
    """The device that a stream had, and for how long (s) it has had none."""

    device: str
    for_s: float


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
    gone : mapping of str to Gone
        Of "output" and "input", those that have no device now.
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
    gone: Mapping[str, Gone] = field(default_factory=dict)
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
    found : tuple of Problem
        What was found at the start, and lasts.
    """

    def __init__(self, playing: str = "silence", keys: str = "", found: tuple[Problem, ...] = ()) -> None:
        self._playing, self._keys, self._found = playing, keys, found
        self._history = History()
        self._held: dict[str, Held] = {}
        self._had: dict[str, tuple[str, int]] = {}
        self._began_ns: int | None = None

    def see(self, look: Look, messages: tuple[str, ...] = ()) -> Scene:
        """Take a look; the first is the start."""
        if self._began_ns is None:
            self._began_ns = look.at_ns
        for kind, report in look.reports.items():
            self._held[kind] = self._held.get(kind, Held()).update(report.peak_dbfs, look.at_ns)
            if report.device or kind not in self._had:
                self._had[kind] = (report.device, look.at_ns)
        before, now = self._history.add(look)
        elapsed_s = (look.at_ns - self._began_ns) / 1e9
        verdict, held = judge(before, now), dict(self._held)
        if self._found:
            seen = {problem.name for problem in self._found}
            others = [problem for problem in verdict.problems if problem.name not in seen]
            verdict = Verdict.of([*others, *self._found])
        return Scene(before, now, verdict, elapsed_s, held, self._gone(look), self._playing, messages, self._keys)

    def _gone(self, look: Look) -> dict[str, Gone]:
        had = {kind: self._had[kind] for kind, report in look.reports.items() if not report.device}
        return {kind: Gone(device, (look.at_ns - at_ns) / 1e9) for kind, (device, at_ns) in had.items()}

    def clear(self) -> None:
        """Forget peaks and clip marks."""
        self._held.clear()
