"""What is asked of the answer of a model: the right language, and theses that can be heard while talking. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from sottovoce.speech.notes.duration import spoken_s
from sottovoce.speech.notes.text import MAX_S, SPEED

#: The scripts that languages are written in, where it is not Latin.
_SCRIPTS = {"ru": "CYRILLIC", "uk": "CYRILLIC", "zh": "CJK"}

#: Least part of the letters that has to be of the language's script; names and abbreviations may be of another.
MIN_SHARE = 0.6

_COMMON = {
    "de": "der die das und ist nicht ein eine zu mit auf für von wir sie auch werden sind oder bei im dem den",
    "en": "the and is not a an to with on for of we you also are or at in it that this be have will by can our",
    "es": "el la los las y es no un una con para de que se por en lo su como más son está del al nuestro",
    "fr": "le la les et est ne pas un une avec pour de que se par en nous vous sont plus dans du des au ce notre",
    "it": "il lo la gli e è non un una con per di che si da in noi sono più nel del della al come i nostro",
    "pl": "i w na z nie jest się do że to jak po od dla są przez oraz lub przy który być ma nasz",
    "pt": "o a os as e é não um uma com para de que se por em do da no na são mais como ao nosso",
    "ru": "и в не на что с по это как к у из за от для мы вы он они но или так же бы есть быть при до",
    "uk": "і в не на що з по це як до у за від для ми ви він вони але або так же би є бути при та її",
}
_WORDS = {language: frozenset(words.split()) for language, words in _COMMON.items()}
_WORD = re.compile(r"[^\W\d_]+")


def in_language(texts: Sequence[str], language: str) -> bool:
    """Whether texts read as the language (ISO 639-1).

    Its script must be the right one, and no other language of that script may have more of its commonest words in
    them. Where there is nothing to tell by, as in names alone, they pass.
    """
    text = " ".join(texts)
    letters = [char for char in text if char.isalpha()]
    if not letters:
        return True
    script = _SCRIPTS.get(language, "LATIN")
    of_script = sum(unicodedata.name(char, "").startswith(script) for char in letters)
    if of_script < MIN_SHARE * len(letters):
        return False
    if language not in _WORDS:
        return True
    words = Counter(_WORD.findall(text.casefold()))
    scores = {
        name: sum(words[word] for word in common)
        for name, common in _WORDS.items()
        if _SCRIPTS.get(name, "LATIN") == script
    }
    return scores[language] >= max(scores.values())


def short(thesis: str) -> bool:
    """Whether a thesis is spoken in about 4 s; at the default pace."""
    return spoken_s(thesis, SPEED) <= MAX_S
