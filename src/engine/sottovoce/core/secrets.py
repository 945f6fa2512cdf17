"""Keeps keys out of whatever is shown or written: the last line of defence, behind never putting them there.

Keys that this process has found are known exactly; others by the forms that providers give them.
"""

from __future__ import annotations

import re
import threading

#: What stands in the place of a secret.
HIDDEN = "(not shown)"

#: Keys of OpenAI and its like, Google, Groq, Hugging Face, xAI; tokens of OAuth; what follows a name such as "Bearer".
_FORMS = re.compile(
    r"\bsk-[\w-]{12,}|\bAIza[\w-]{30,}|\bAQ\.[\w-]{30,}|\bya29\.[\w.-]{20,}|\b(?:gsk|hf|xai)[_-]\w{20,}"
    r"|(?<=[Bb]earer )[\w.~+/=-]{12,}"
)
_PASSWORD = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]*(?=@)")

#: Shorter ones would be found in ordinary words.
_LEAST_CHARS = 8

_known: set[str] = set()
_lock = threading.Lock()


def remember(secret: str) -> None:
    """Never show this text from now on."""
    if len(secret) >= _LEAST_CHARS:
        with _lock:
            _known.add(secret)


def redacted(text: str) -> str:
    """``text`` without keys and passwords."""
    with _lock:
        known = sorted(_known, key=len, reverse=True)
    for secret in known:
        text = text.replace(secret, HIDDEN)
    return _PASSWORD.sub(HIDDEN, _FORMS.sub(HIDDEN, text))
