"""Texts made fit to be spoken: markup off, cut into sentences and into theses."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator
from itertools import takewhile

from sottovoce.speech.notes.duration import spoken_s

#: The longest thesis (s), and the pace of speech it is meant for (that of `tts.speed`).
MAX_S = 4.0
SPEED = 1.35

# Every pattern here takes time linear in the text: notes may come from anywhere.
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_PROTECTED = re.compile("[\ue021-\ue07e]")
_COMMENT = re.compile(r"<!--(?:(?!-->|<!--).)*-->")
_IMAGE_OR_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()\n]*\)|\[[^\[\]]*\])")
_WIKI_LINK = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]")
_FOOTNOTE = re.compile(r"\[\^[^\[\]\s]*\]:?")
_ADDRESS = re.compile(r"<?\b(?:https?|ftp)://[^\s<>]+>?")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
# Control and invisible characters; arrows, dingbats and emoji, which a voice reads out by name.
_UNSPEAKABLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ue000-\uf8ff"
    "\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\ufe00-\ufe0f\U0001f000-\U0001faff]"
)
_OPENING = re.compile(r"(?<![\w*_~=])(?:[*_]+|~~|==)(?=\S)")
_CLOSING = re.compile(r"(?<=[^\s*_~=])(?:[*_]+|~~|==)(?!\w)")

_SENTENCE_END = re.compile(r"""(?<![.!?…])[.!?…]+["»”')\]]*\s+(?=["«“'(\[]*(\w))""")
_ABBREVIATED = """
e.g i.e etc vs mr mrs ms dr prof st approx dept inc ltd cf
т.е т.д т.п т.к др пр им ул гг вв стр рис см напр тыс руб
"""
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())

_SPACE = re.compile(r"\s+")
_CONJUNCTION = re.compile(
    r"\s+(?=(?:and|but|or|because|so|which|while|where|и|а|но|или|потому|поэтому|который|которая|которое|которые|где)\s)",
    re.IGNORECASE,
)
#: Words that change what was said before them: they stay with it where that can be.
_TURNING_WORDS = """
unless until except without only if than when not no never nor кроме без если пока только чем когда не ни нет лишь
"""
_TURNING = frozenset(_TURNING_WORDS.split())
#: Words that belong to the one behind them.
_CLINGING_WORDS = """
a an the of to in on at by for from with and or but not no never very more less than is are was were will be as в во
на с со к ко о об у из от до по за для без и или но а не ни очень более менее чем при под над
"""
_CLINGING = frozenset(_CLINGING_WORDS.split())
# How many words a piece must have, and where it may be cut, best first.
_WAYS = (
    (3, re.compile(r"[;:]\s+|\s+[–—-]\s+")),
    (3, re.compile(r",\s+")),
    (3, _CONJUNCTION),
    (2, _SPACE),
    (1, _SPACE),
)
_EDGES = " \t,;:–—-"


def strip_markup(text: str) -> str:
    """One line of Markdown as it would be read out: no emphasis, link targets, addresses, tags or pictographs."""
    text = _ESCAPED.sub(lambda match: chr(0xE000 + ord(match[1])), text)
    text = _COMMENT.sub(" ", text)
    text = text.replace("`", "")
    text = _WIKI_LINK.sub(r"\1", text)
    text = _FOOTNOTE.sub("", text)
    text = _IMAGE_OR_LINK.sub(r"\1", text)
    text = _ADDRESS.sub("", text)
    text = _TAG.sub(" ", text)
    text = _CLOSING.sub("", _OPENING.sub("", text))
    text = _PROTECTED.sub(lambda match: chr(ord(match[0]) - 0xE000), html.unescape(text))
    return " ".join(_UNSPEAKABLE.sub(" ", text).split())


def is_question(text: str) -> bool:
    """True of a text that ends in a question mark, quotes and brackets aside."""
    return text.rstrip("\"'»”)] *_").endswith("?")


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text; abbreviations, initials and decimal points end none."""
    found = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if _ends_sentence(text[max(start, match.start() - 20) : match.start()], match):
            found.append(text[start : match.end()].strip())
            start = match.end()
    rest = text[start:].strip()
    return (*found, rest) if rest else tuple(found)


def theses(text: str, max_s: float = MAX_S, speed: float = SPEED) -> Iterator[str]:
    """Cut a point into pieces that each take at most ``max_s`` seconds to speak, at ``speed``.

    Sentences first; one that is longer is cut where it has a joint: at a semicolon, colon or dash rather than at a
    comma, there rather than before a conjunction, and between any two words if nothing else is there; of several such
    joints at the one that leaves the pieces most alike. What turns the meaning of what stands before it is not cut off
    ("unless ...", "except ...", "кроме ..."), nor a word that belongs to the next ("not", "the", "не") left at an end,
    as long as there is another joint. A single word stays whole, however long it is.
    """
    for sentence in sentences(text):
        yield from _cut(sentence, max_s, speed)


def _ends_sentence(before: str, match: re.Match[str]) -> bool:
    following = match[1]
    if not (following.isupper() or following.isdigit()):
        return False
    if not match[0].startswith("."):
        return True
    words = before.split()
    last = words[-1].lstrip("(\"'«“").lower() if words else ""
    return last not in _ABBREVIATIONS and not (len(last) == 1 and last.isalpha())


def _cut(sentence: str, max_s: float, speed: float) -> Iterator[str]:
    rest = sentence
    while (needed_s := spoken_s(rest, speed)) > max_s:
        position = _best_joint(rest, math.ceil(needed_s / max_s), max_s, speed)
        if position is None:
            break
        yield rest[: position[0]].rstrip(_EDGES)
        rest = rest[position[1] :].lstrip(_EDGES)
    yield rest


def _best_joint(text: str, pieces: int, max_s: float, speed: float) -> tuple[int, int] | None:
    """Where the piece ends that is to be cut off the front of ``text``, and where the rest begins."""
    first = _SPACE.search(text)
    if first is None:
        return None
    fits = takewhile(lambda space: spoken_s(text[: space.start()], speed) <= max_s, _SPACE.finditer(text))
    last = max((space.start() for space in fits), default=first.start())
    ideal = len(text) / pieces
    for least_words, joint in _WAYS:
        joints = takewhile(lambda match: match.start() <= last, joint.finditer(text))
        places = [match.span() for match in joints if _may_cut(text, match.span(), least_words)]
        if places:
            return min(places, key=lambda place: abs(place[0] - ideal))
    return first.span()


def _may_cut(text: str, place: tuple[int, int], least_words: int) -> bool:
    before, after = text[: place[0]].split(), text[place[1] :].split()
    if min(len(before), len(after)) < least_words:
        return False
    if least_words == 1:
        return True
    return before[-1].strip(_EDGES).lower() not in _CLINGING and after[0].strip(_EDGES).lower() not in _TURNING
