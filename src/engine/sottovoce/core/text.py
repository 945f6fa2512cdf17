"""Text from elsewhere, made fit to be shown and spoken."""

from __future__ import annotations

import unicodedata

_UNSEEN = ("Cc", "Cf", "Cs", "Co")


def without_controls(text: str) -> str:
    """The text with a space in the place of each character that is not to be seen.

    A terminal would obey some of them, a voice would stumble, and a page could be turned around.
    """
    return "".join(" " if unicodedata.category(char) in _UNSEEN else char for char in text)
