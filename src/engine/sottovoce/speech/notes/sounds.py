"""How words sound, coarsely: the consonants in one alphabet for Latin and Cyrillic letters, what sounds alike as one.

"Kubernetes", "cuber netties" and "кубернетис" all become KPRNTS. Latin letters are read by Lawrence Philips' Metaphone
(jellyfish), Cyrillic ones by a table; vowels, H and Y are left out, since recognisers confuse them first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

# What Metaphone tells apart and ears often do not: voiced and voiceless, th and t, w and v.
_MERGED = str.maketrans({"B": "P", "J": "X", "0": "T", "W": "F", "A": "", "E": "", "I": "", "O": "", "U": "",
                         "H": "", "Y": ""})  # fmt: skip
_CYRILLIC = {
    "дж": "X", "тс": "TS", "б": "P", "п": "P", "в": "F", "ф": "F", "г": "K", "к": "K", "х": "K", "д": "T", "т": "T",
    "ж": "X", "ш": "X", "щ": "X", "ч": "X", "з": "S", "с": "S", "ц": "TS", "л": "L", "м": "M", "н": "N", "р": "R",
    "ґ": "K", "ў": "F", "ђ": "X", "ћ": "X", "џ": "X", "љ": "L", "њ": "N",
}  # fmt: skip
_CYRILLIC_LETTERS = re.compile("|".join(_CYRILLIC) + "|[\u0400-\u04ff]")
_ROMAN = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "y", "к": "k",
    "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "h",
    "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sh", "ъ": "", "ы": "i", "ь": "", "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip
_TO_ROMAN = str.maketrans(_ROMAN)
_REPEATED = re.compile(r"(.)\1+")
#: Longer words are taken by their beginnings: nobody says them.
MAX_LETTERS = 40


@lru_cache(maxsize=1 << 16)
def sounds(word: str) -> str:
    """The consonants of a word in lower case, as letters of one alphabet; empty for figures and vowels alone."""
    word = word[:MAX_LETTERS]
    if any("\u0400" <= letter <= "\u04ff" for letter in word):
        heard = _CYRILLIC_LETTERS.sub(lambda found: _CYRILLIC.get(found[0], ""), word)
        heard = "".join(letter for letter in heard if letter.isupper())
    else:
        from jellyfish import metaphone

        plain = unicodedata.normalize("NFKD", word)
        letters = "".join(letter for letter in plain if "a" <= letter <= "z")
        heard = metaphone(letters).translate(_MERGED)
    return _REPEATED.sub(r"\1", heard)


@lru_cache(maxsize=1 << 16)
def romanized(word: str) -> str:
    """A word in lower case in Latin letters, so that one that is spelled in both alphabets can be compared."""
    return word[:MAX_LETTERS].translate(_TO_ROMAN)


def stream(words: Iterable[str]) -> str:
    """The sounds of a whole text without its word borders, which recognisers put elsewhere."""
    return "".join(map(sounds, words))
