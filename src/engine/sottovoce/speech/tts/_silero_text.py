"""A text as Silero can say it: its models know the letters of their own language, and leave out all else in silence.

So numbers become words, signs of money and per cent too, and words in the letters of the other language are written in
those of the model: "API" in a Russian text is spelled, "Python" is said about as it is written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import partial

#: Longest piece that is given to a model at once: beyond about 500 letters it fails, and the shorter the first piece,
#: the sooner there is sound.
MAX_CHARS = 200

_NUMBER = re.compile(r"\d+(?:[ \u00a0\u202f]\d{3})+(?!\d)|\d+")
_MOST_DIGITS = 15

#: Signs that are said; the word after a number stands in the form for one, two and five.
_SIGNS = {
    "en": {"%": "per cent", "$": "dollars", "€": "euros", "£": "pounds", "₽": "roubles", "№": "number"},
    "ru": {"№": "номер"},
}
_AFTER_NUMBERS_RU = {
    "%": ("процент", "процента", "процентов"),
    "$": ("доллар", "доллара", "долларов"),
    "€": ("евро", "евро", "евро"),
    "£": ("фунт", "фунта", "фунтов"),
    "₽": ("рубль", "рубля", "рублей"),
}
_BETWEEN = {"en": {"&": "and", "+": "plus", "=": "equals"}, "ru": {"&": "и", "+": "плюс", "=": "равно"}}
_POINT = {"en": {".": "point", ",": "point"}, "ru": {".": "точка", ",": "запятая"}}
_MONEY_BEFORE = re.compile(r"([$€£₽])\s?(\d[\d.,  ]*\d|\d)")

_MARKUP = '<>[]{}^*_`|~\\/"'

_LATIN = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?")
_CYRILLIC = re.compile(r"[А-Яа-яЁё]+")

#: Names of the Latin letters, by which an abbreviation is spelled.
_SPELLED_RU = {
    "A": "эй", "B": "би", "C": "си", "D": "ди", "E": "и", "F": "эф", "G": "джи", "H": "эйч", "I": "ай", "J": "джей",
    "K": "кей", "L": "эл", "M": "эм", "N": "эн", "O": "оу", "P": "пи", "Q": "кью", "R": "ар", "S": "эс", "T": "ти",
    "U": "ю", "V": "ви", "W": "дабл-ю", "X": "экс", "Y": "уай", "Z": "зед",
}  # fmt: skip

#: Sounds of Latin letters in Cyrillic ones, the longest first.
_SAID_RU = {
    "tion": "шн", "sch": "ш", "igh": "ай", "ch": "ч", "sh": "ш", "th": "т", "ph": "ф", "ck": "к", "qu": "кв",
    "oo": "у", "ee": "и", "ea": "и", "ou": "ау", "ow": "оу", "ai": "эй", "ay": "эй", "ey": "ей", "oa": "оу", "ce": "се",
    "ci": "си", "cy": "си", "ge": "дже", "gi": "джи", "ya": "я", "yu": "ю", "yo": "йо", "kh": "х", "zh": "ж",
    "a": "а", "b": "б", "c": "к", "d": "д", "e": "е", "f": "ф", "g": "г", "h": "х", "i": "и", "j": "дж", "k": "к",
    "l": "л", "m": "м", "n": "н", "o": "о", "p": "п", "q": "к", "r": "р", "s": "с", "t": "т", "u": "у", "v": "в",
    "w": "в", "x": "кс", "y": "и", "z": "з", "'": "",
}  # fmt: skip

#: Sounds of Cyrillic letters in Latin ones, for an English voice.
_SAID_EN = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "ye", "ё": "yo", "ж": "zh", "з": "z", "и": "ee", "й": "y",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "oo", "ф": "f",
    "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip

_SENTENCE_END = re.compile(r"(?<=[.!?…;])\s+|\n+")
_CLAUSE_END = re.compile(r"(?<=[,:–—])\s+")


def pieces(text: str, language: str) -> Iterator[str]:
    """The text, ready to be said, cut into sentences, and long ones further; nothing if no word is in it.

    Parameters
    ----------
    language : str
        "ru" or "en".
    """
    for sentence in _SENTENCE_END.split(_plain(text)):
        said = _said(sentence, language)
        for piece in _cut(said):
            if any(character.isalpha() for character in piece):
                yield piece


def _plain(text: str) -> str:
    """Without control characters, and without what a model would take for markup."""
    return "".join(character if _is_plain(character) else " " for character in text)


def _is_plain(character: str) -> bool:
    return character == "\n" or not (unicodedata.category(character).startswith("C") or character in _MARKUP)


def _said(sentence: str, language: str) -> str:
    sentence = _MONEY_BEFORE.sub(r"\2 \1", sentence)
    sentence = _with_forms(sentence) if language == "ru" else sentence
    for sign, word in {**_SIGNS[language], **_BETWEEN[language]}.items():
        sentence = sentence.replace(sign, f" {word} ")
    sentence = re.sub(r"(?<=\d)[.,](?=\d)", lambda found: _separator(found, language), sentence)
    sentence = _NUMBER.sub(lambda found: f" {_number(found[0], language)} ", sentence)
    if language == "ru":
        sentence = _LATIN.sub(lambda found: _latin_in_russian(found[0]), sentence)
    else:
        sentence = _CYRILLIC.sub(lambda found: _russian_in_latin(found[0]), sentence)
    sentence = re.sub(r"\s+", " ", sentence)
    return re.sub(r" (?=[.,!?…;:])", "", sentence).strip()


def _separator(found: re.Match[str], language: str) -> str:
    """What stands between digits: nothing in "1,000" in English, else a word."""
    after = re.match(r"\d+", found.string[found.end() :])
    grouped = language == "en" and found[0] == "," and after is not None and len(after[0]) == 3
    return "" if grouped else f" {_POINT[language][found[0]]} "


def _with_forms(sentence: str) -> str:
    """Signs after numbers as words, in the form that the number wants: "2 %" is "2 процента"."""
    for sign, forms in _AFTER_NUMBERS_RU.items():
        counted = re.compile(rf"(\d+)([.,]\d+)?\s?{re.escape(sign)}")
        sentence = counted.sub(partial(_counted, forms), sentence).replace(sign, f" {forms[2]} ")
    return sentence


def _counted(forms: tuple[str, str, str], found: re.Match[str]) -> str:
    ones, tens = int(found[1]) % 10, int(found[1]) % 100 // 10
    if found[2]:
        form = forms[1]
    elif tens == 1 or ones == 0 or ones > 4:
        form = forms[2]
    else:
        form = forms[0] if ones == 1 else forms[1]
    return f"{found[1]}{found[2] or ''} {form}"


def _number(digits: str, language: str) -> str:
    from num2words import num2words

    digits = re.sub(r"\D", "", digits)
    if len(digits) > _MOST_DIGITS or (len(digits) > 1 and digits.startswith("0")):
        return " ".join(num2words(int(digit), lang=language) for digit in digits)
    return str(num2words(int(digits), lang=language))


def _latin_in_russian(word: str) -> str:
    if word.isupper() and (len(word) <= 3 or not re.search("[AEIOUY]", word)):
        return " ".join(_SPELLED_RU[letter] for letter in word if letter in _SPELLED_RU)
    rest, said = word.lower(), ""
    while rest:
        sound = next(sound for sound in _SAID_RU if rest.startswith(sound))
        said += _SAID_RU[sound]
        rest = rest[len(sound) :]
    return said


def _russian_in_latin(word: str) -> str:
    return "".join(_SAID_EN[letter] for letter in word.lower())


def _cut(sentence: str) -> Iterator[str]:
    """A sentence in pieces that are short enough: at commas if that is enough, else between words, else anywhere."""
    piece = ""
    for clause in _CLAUSE_END.split(sentence):
        for word in [clause] if len(clause) <= MAX_CHARS else _words(clause):
            if piece and len(piece) + 1 + len(word) > MAX_CHARS:
                yield piece
                piece = word
            else:
                piece = f"{piece} {word}".strip()
    if piece:
        yield piece


def _words(clause: str) -> Iterator[str]:
    for word in clause.split():
        for start in range(0, len(word), MAX_CHARS):
            yield word[start : start + MAX_CHARS]
