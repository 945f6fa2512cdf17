"""Devices that no machine needs to have."""

from __future__ import annotations


class Cards:
    """Two outputs and a microphone, of which is noted where the session was moved."""

    def __init__(self) -> None:
        self.moves: list[tuple[object, object]] = []
        self.outputs = ["USB headset", "Speakers"]

    def listing(self) -> dict[str, object]:
        current = self.moves[-1][1] if self.moves else "USB headset"
        outputs = [_shown(name, name == current) for name in self.outputs]
        return {"outputs": outputs, "inputs": [_shown("Microphone", True)]}

    def move(self, direction: object, wanted: object) -> None:
        self.moves.append((direction, wanted))

    def close(self) -> None: ...


def _shown(name: str, current: bool) -> dict[str, object]:
    advice = "Bluetooth adds a tenth of a second or more to every answer" if name == "Speakers" else ""
    return {"id": name, "name": name, "default": name == "Speakers", "current": current, "advice": advice}
