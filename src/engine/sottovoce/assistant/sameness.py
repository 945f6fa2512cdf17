"""Do two transcripts ask the same? What was made for one of them is taken for the other only then."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

#: Words that change nothing when a question ends in them: courtesy, fillers, and what only hangs there. No negation, no
#: word that asks, and no preposition: "what is it" and "what is it for" are two questions.
_TAIL = frozenset(
    [
        "please",
        "then",
        "exactly",
        "actually",
        "really",
        "again",
        "though",
        "anyway",
        "right",
        "okay",
        "ok",
        "well",
        "so",
        "just",
        "thanks",
        "and",
        "or",
        "but",
        "the",
        "a",
        "an",
        "um",
        "uh",
        "uhm",
        "er",
        "erm",
        "hmm",
        "mm",
        "huh",
        "eh",
        "пожалуйста",
        "тогда",
        "же",
        "вот",
        "ну",
        "да",
        "так",
        "и",
        "а",
        "но",
        "или",
        "значит",
        "вообще",
        "именно",
        "собственно",
        "конкретно",
        "все-таки",
        "спасибо",
        "э",
        "эм",
        "эээ",
        "мм",
        "ага",
        "угу",
    ]
)
#: The same of two words: a preposition, and who is spoken to or speaks.
_TAIL_PREPOSITIONS = frozenset(["for", "to", "with", "для", "у", "к", "с"])
_TAIL_PERSONS = frozenset(
    ["me", "us", "you", "меня", "нас", "вас", "тебя", "мне", "нам", "вам", "тебе", "нами", "вами", "мной"]
)


def asked_words(text: str) -> tuple[str, ...]:
    """What of a text tells one question from another.

    The words, whatever their case, accents of writing and punctuation, without those at the end that change nothing;
    all of them if none would be left.

    Examples
    --------
    >>> asked_words("What does it cost, please?") == asked_words("what does it cost for us")
    True
    >>> asked_words("what is it") == asked_words("what is it for")
    False
    """
    plain = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е").replace("’", "'")
    words = _WORD.findall(plain)
    left = list(words)
    while left:
        if left[-1] in _TAIL:
            left.pop()
        elif len(left) > 1 and left[-1] in _TAIL_PERSONS and left[-2] in _TAIL_PREPOSITIONS:
            del left[-2:]
        else:
            break
    return tuple(left or words)


def asks_the_same(one: str, other: str) -> bool:
    """Whether the answer to one is an answer to the other, too."""
    return asked_words(one) == asked_words(other)
