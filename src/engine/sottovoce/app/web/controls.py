"""What the page asks for, from JSON to the methods that the keys of the terminal call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sottovoce.app.web.answers import Problem
from sottovoce.assistant.controls import MOST_TYPED, Control

#: The actions of a session that has a microphone; one of a recording cannot be muted.
ACTIONS = (*(control.value for control in Control), "ask")

_SWITCHES = (Control.PAUSE, Control.MUTE)


class Wearer(Protocol):
    """Carries out what the wearer wants; a :class:`~sottovoce.assistant.pipeline.Pipeline` is one."""

    def control(self, control: Control, on: bool | None = None) -> None: ...

    def ask(self, text: str, language: str) -> None: ...


def carry_out(wearer: Wearer, wish: Mapping[str, object], actions: tuple[str, ...], language: str) -> None:
    """Do what was asked for, or raise a Problem that says what is wrong with it."""
    action = wish.get("action")
    if not isinstance(action, str) or action not in actions:
        raise Problem(400, f"action is {_shown(action)}; allowed: {', '.join(actions)}")
    unknown = wish.keys() - ({"action", "text"} if action == "ask" else {"action", "on"})
    if unknown:
        raise Problem(400, f"{_shown(sorted(unknown)[0])} is nothing that {action} takes")
    if action == "ask":
        text = wish.get("text")
        if not isinstance(text, str) or not text.strip() or len(text) > MOST_TYPED:
            given = f"{len(text)} characters" if isinstance(text, str) else _shown(text)
            raise Problem(400, f"text is {given}; allowed: 1 to {MOST_TYPED} characters that are not all blank")
        wearer.ask(text, language)
        return
    control, on = Control(action), wish.get("on")
    if on is not None and (control not in _SWITCHES or not isinstance(on, bool)):
        raise Problem(400, f"on is {_shown(on)}; pause and mute take true or false, others none")
    wearer.control(control, on)


def _shown(value: object) -> str:
    """A value in an error: no longer than it has to be."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
