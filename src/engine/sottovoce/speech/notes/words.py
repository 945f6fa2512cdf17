"""Words for searching: cut out of a text, stripped of endings, compared although misheard. English and Russian."""

from __future__ import annotations

import re
from functools import lru_cache

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

_WORD = re.compile(r"[^\W_]+")
_RUSSIAN = re.compile("[а-я]")
# Longest first. One ending is taken off, which is enough for the forms of a word to meet; roots of fewer than three
# letters stay whole.
_RUSSIAN_ENDINGS = re.compile(
    "(?:иями|ениями|ениях|ением|ения|ение|ению|ений|ностью|ности|ность|"
    "ями|ами|иях|ией|его|ого|ему|ому|ыми|ими|ешь|ишь|ете|ите|ают|яют|ует|уют|али|ила|или|ала|ить|ать|ять|еть|нный|"
    "ях|ах|ей|ой|ий|ый|ая|яя|ое|ее|ые|ие|ым|им|ом|ем|ов|ев|ию|ью|ия|ья|ам|ям|ых|их|ую|юю|ал|ил|ел|ет|ит|ут|ют|ат|ят|ти|"
    "а|е|и|й|о|у|ы|ь|ю|я)$"
)
_REFLEXIVE = re.compile("(?:ся|сь)$")
_ENGLISH_ENDINGS = re.compile("(?:ings|ing|edly|ied|ies|ed|es|ys|ly|s|y|e)$")
_DOUBLED = re.compile(r"([bdgmnprt])\1$")
_LEAST_ROOT = 3


def words(text: str) -> list[str]:
    """The words of ``text`` in lower case; ё counts as е."""
    return [word.replace("ё", "е") for word in _WORD.findall(text.lower())]


def content_words(text: str) -> list[str]:
    """Its words that say what it is about, each once, in order."""
    return [word for word in dict.fromkeys(words(text)) if word not in STOP_WORDS and word not in QUESTION_WORDS]


def question_words(text: str) -> frozenset[str]:
    """The question words in ``text``."""
    return QUESTION_WORDS.intersection(words(text))


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """``word`` (as :func:`words` gives it) without its ending; not a dictionary form, only alike for alike words."""
    if _RUSSIAN.search(word):
        word = _shortened(word, _REFLEXIVE)
        return _shortened(word, _RUSSIAN_ENDINGS)
    return _DOUBLED.sub(r"\1", _shortened(word, _ENGLISH_ENDINGS))


@lru_cache(maxsize=1 << 16)
def trigrams(word: str) -> frozenset[str]:
    """All runs of three letters of ``word``, its two ends marked."""
    marked = f"^{word}$"
    return frozenset(marked[start : start + 3] for start in range(len(marked) - 2))


def likeness(one: str, other: str) -> float:
    """How alike two words are spelled, 0 to 1: Dice's coefficient of their trigrams."""
    ours, theirs = trigrams(one), trigrams(other)
    return 2.0 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0


def _shortened(word: str, ending: re.Pattern[str]) -> str:
    match = ending.search(word)
    return word[: match.start()] if match and match.start() >= _LEAST_ROOT else word
