"""Words for searching: cut out of a text, stripped of endings, compared although misheard. English and Russian."""

from __future__ import annotations

import re
import threading
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from sottovoce.speech.notes.numbers import fold_numbers

if TYPE_CHECKING:
    from Stemmer import Stemmer

_STOP_WORDS = """
a about after again all also am an and any are as at be because been before being but by can could d did do does
doing done for from get gets go goes going got had has have having he her here him his i if in into is it its just
know let like ll m may me might must my no not now of on onto or our out over please re s said say shall she should so
some t tell than that the their them then there these they think this those to too under up us ve very want was we were
will with would yes you your

а без бы был была были было быть в вам вас ваш ваша ваше ваши во вот все всего вы да для до думаете его ее если есть
еще же за здесь знаете и из или им их к ко ли либо меня мне можно мной мой моя мы на над нам нас наш наша наше наши не
нет ни но ну нужно о об он она они оно от по под при про расскажите с свой свою себя сейчас скажите со та так также
там тебя тем то тоже того той только том ты у уже хотите чтобы эта эти это этого этой этом этот я
"""
_QUESTION_WORDS = """
how kind many much sort time what when where which who whom whose why
где зачем как какая какие какое какой какую когда кого кому кто куда лет откуда почему сколько такая такие такое такой
чего чей чем что
"""
#: Words that say nothing of what a text is about.
STOP_WORDS = frozenset(_STOP_WORDS.split())
#: Words that tell one question from another about the same thing, and nothing else.
QUESTION_WORDS = frozenset(_QUESTION_WORDS.split())

# "%" is a word of its own; thousands may be set apart.
_WORD = re.compile(r"[^\W_]+|%")
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:[ \u00a0\u202f,]\d{3}){1,4}(?![.,]?\d)")
_SEPARATORS = str.maketrans("", "", " \u00a0\u202f,")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_STEMMING = threading.Lock()  # a stemmer serves one thread at a time


def words(text: str) -> list[str]:
    """The words of ``text`` in lower case, numbers as figures, "%" for percent; ё counts as е."""
    return fold_numbers(plain_words(text))


def plain_words(text: str) -> list[str]:
    """The words of ``text`` in lower case as they stand there; ё counts as е."""
    joined = _GROUPED.sub(lambda figures: figures[0].translate(_SEPARATORS), text.lower())
    return [word.replace("ё", "е") for word in _WORD.findall(joined)]


def content_words(text: str) -> list[str]:
    """Its words that say what it is about, each once, in order."""
    return [word for word in dict.fromkeys(words(text)) if word not in STOP_WORDS and word not in QUESTION_WORDS]


def question_words(text: str) -> frozenset[str]:
    """The question words in ``text``."""
    return QUESTION_WORDS.intersection(words(text))


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """``word`` (as :func:`words` gives it) without its ending, by the Snowball algorithms (Porter 2001).

    Not a dictionary form, only alike for alike words.
    """
    with _STEMMING:
        return str(_stemmer("russian" if _CYRILLIC.search(word) else "english").stemWord(word))


def trigrams(word: str) -> list[str]:
    """All runs of three letters of ``word``, its two ends marked."""
    marked = f"^{word}$"
    return [marked[start : start + 3] for start in range(len(marked) - 2)]


@cache
def _stemmer(language: str) -> Stemmer:
    from Stemmer import Stemmer

    return Stemmer(language)
