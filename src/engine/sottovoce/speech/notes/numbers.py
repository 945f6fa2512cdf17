"""Numbers as they are spoken, in English and Russian, brought to the figures that notes have: "тридцать пять" to 35."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

_ENGLISH_UNITS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ENGLISH = {
    **{word: value for value, word in enumerate(_ENGLISH_UNITS.split())},
    **{word: 10 * tens for tens, word in enumerate(_ENGLISH_TENS.split(), start=2)},
    "hundred": 100, "hundreds": 100, "thousand": 1_000, "thousands": 1_000,
    "million": 1_000_000, "millions": 1_000_000, "billion": 1_000_000_000, "billions": 1_000_000_000,
}  # fmt: skip
_ENGLISH_FIRST_ORDINALS = """
third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth
seventeenth eighteenth nineteenth twentieth
"""
_ENGLISH_ORDINALS = {
    "first": 1, "thirtieth": 30, "fortieth": 40, "fiftieth": 50, "hundredth": 100,
    **{word: value for value, word in enumerate(_ENGLISH_FIRST_ORDINALS.split(), start=3)},
}  # fmt: skip

_RUSSIAN_CARDINALS = {
    0: "ноль ноля нулю нуль нуля", 1: "один одна одно одного одной одному одну одним", 2: "два две двух двум двумя",
    3: "три трех трем тремя", 4: "четыре четырех четырем четырьмя", 5: "пять пяти пятью", 6: "шесть шести шестью",
    7: "семь семи семью", 8: "восемь восьми восемью восьмью", 9: "девять девяти девятью", 10: "десять десяти десятью",
    40: "сорок сорока", 90: "девяносто девяноста", 100: "сто ста",
    200: "двести двухсот двумстам двумястами двухстах", 300: "триста трехсот тремстам тремястами трехстах",
    400: "четыреста четырехсот четыремстам четырьмястами четырехстах",
    1_000: "тысяча тысячи тысяче тысячу тысячей тысяч тысячам тысячами тысячах",
    1_000_000: "миллион миллиона миллиону миллионом миллионе миллионы миллионов миллионам миллионами миллионах",
    1_000_000_000: "миллиард миллиарда миллиарду миллиардом миллиарде миллиарды миллиардов миллиардам миллиардами",
}  # fmt: skip
_RUSSIAN_TEENS = "одиннадцат двенадцат тринадцат четырнадцат пятнадцат шестнадцат семнадцат восемнадцат девятнадцат"
_RUSSIAN_TENS = {20: ("двадцат", ""), 30: ("тридцат", ""), 50: ("пять", "десят"), 60: ("шесть", "десят"),
                 70: ("семь", "десят"), 80: ("восемь", "десят")}  # fmt: skip
_RUSSIAN_HUNDREDS = {500: "пят", 600: "шест", 700: "сем", 800: "восем", 900: "девят"}
_RUSSIAN_ORDINALS = {
    1: "перв", 2: "втор", 4: "четверт", 5: "пят", 6: "шест", 7: "седьм", 8: "восьм", 9: "девят", 10: "десят",
    11: "одиннадцат", 12: "двенадцат", 13: "тринадцат", 14: "четырнадцат", 15: "пятнадцат", 16: "шестнадцат",
    17: "семнадцат", 18: "восемнадцат", 19: "девятнадцат", 20: "двадцат", 30: "тридцат", 40: "сороков",
    50: "пятидесят", 60: "шестидесят", 70: "семидесят", 80: "восьмидесят", 90: "девяност", 100: "сот",
}  # fmt: skip
_ORDINAL_ENDINGS_WORDS = """
ый ой ого ому ым ом ая ую ое ые ых ыми
"""
_ORDINAL_ENDINGS = _ORDINAL_ENDINGS_WORDS.split()
_THIRD_WORDS = """
третий третьего третьему третьим третьем третья третьей третью третье третьи третьих
"""
_THIRD = _THIRD_WORDS.split()


def _russian_cardinals() -> dict[str, int]:
    values = {form: value for value, forms in _RUSSIAN_CARDINALS.items() for form in forms.split()}
    for value, root in enumerate(_RUSSIAN_TEENS.split(), start=11):
        values |= {root + ending: value for ending in ("ь", "и", "ью")}
    for value, (root, second) in _RUSSIAN_TENS.items():
        if second:
            oblique = "восьми" if value == 80 else root[:-1] + "и"
            values |= {root + second: value, oblique + second + "и": value, root + "ю" + second + "ью": value}
        else:
            values |= {root + ending: value for ending in ("ь", "и", "ью")}
    for value, root in _RUSSIAN_HUNDREDS.items():
        oblique = "восьми" if value == 800 else root + "и"
        values |= {root + "ьсот": value, oblique + "сот": value, oblique + "стам": value, oblique + "стах": value}
    return values


def _russian_ordinals() -> dict[str, int]:
    ordinals = product(_RUSSIAN_ORDINALS.items(), _ORDINAL_ENDINGS)
    return {root + ending: value for (value, root), ending in ordinals} | dict.fromkeys(_THIRD, 3)


#: What each word of a number is worth.
CARDINALS: dict[str, int] = {**_ENGLISH, **_russian_cardinals()}
#: The same, and numbers that put in order: "third", "третий". "second" is left out, more often part of a minute.
VALUES: dict[str, int] = {**_ENGLISH_ORDINALS, **_russian_ordinals(), **CARDINALS}
#: Words for a sign, as the sign.
SIGNS = {
    "percent": "%", "percents": "%", "percentage": "%",
    **{f"процент{ending}": "%" for ending in ("", "а", "у", "ом", "е", "ы", "ов", "ам", "ами", "ах")},
}  # fmt: skip

_SPECIAL = frozenset((*VALUES, *SIGNS, "per"))
_SCALES = (1_000, 1_000_000, 1_000_000_000)
_ORDINAL_SUFFIXES = ("st", "nd", "rd", "th")


def fold_numbers(words: Sequence[str]) -> list[str]:
    """Words in lower case with every spoken number as its figures, and "percent" as "%".

    Examples
    --------
    >>> fold_numbers(["two", "hundred", "and", "ten", "thousand", "lamps"])
    ['210000', 'lamps']
    >>> fold_numbers("в две тысячи двадцать шестом году тридцать пять процентов".split())
    ['в', '2026', 'году', '35', '%']
    """
    if _SPECIAL.isdisjoint(words) and not any(word[0] <= "9" for word in words if word):  # nearly always
        return list(words)
    return [spelled for spelled, _, _ in numbered(words)]


def numbered(words: Sequence[str]) -> Iterable[tuple[str, int, int]]:
    """The same, with the first word that each comes from and the one behind its last."""
    at = 0
    while at < len(words):
        value, behind = _number(words, at)
        if behind > at:
            yield str(value), at, behind
        else:
            behind = at + 1
            if words[at] == "per" and words[at + 1 : at + 2] == ["cent"]:
                behind = at + 2
                yield "%", at, behind
            else:
                yield _sign(words[at]), at, behind
        at = behind


def _sign(word: str) -> str:
    if word[-2:] in _ORDINAL_SUFFIXES and word[:-2].isdecimal():
        return word[:-2]
    return SIGNS.get(word, word)


def _number(words: Sequence[str], start: int) -> tuple[int, int]:
    """The number that begins at ``start``, and the place behind it; ``start`` itself if there is none."""
    total = current = 0
    scale = 0  # the last of thousand, million, billion
    room = 0  # what comes next must be below
    behind = start
    for at in range(start, len(words)):
        word = words[at]
        if word == "and" and behind > start and _VALUES_BELOW_100.get(_at(words, at + 1), 0) and room >= 100:
            continue
        if word.isdecimal() and len(word) < 10 and at == start and VALUES.get(_at(words, at + 1)) in _SCALES:
            current, behind, room = int(word), at + 1, 0
            continue
        value = VALUES.get(word)
        if value is None:
            break
        if value in _SCALES:
            if scale and value >= scale:
                break
            total += max(1, current) * value
            current, scale, room = 0, value, value
        elif value == 100 and 0 < current < 100:
            current, room = 100 * current, 100
        elif behind == start or value < room:
            current, room = current + value, _room_behind(value)
        elif 10 <= current < 100 and 10 <= value < 100 and not scale:
            current, room = 100 * current + value, _room_behind(value)  # a year: nineteen eighty four
        else:
            break
        behind = at + 1
    return total + current, behind


_VALUES_BELOW_100 = {word: value for word, value in VALUES.items() if value < 100}


def _at(words: Sequence[str], place: int) -> str:
    return words[place] if place < len(words) else ""


def _room_behind(value: int) -> int:
    """Below what the next word must be to go on with this number: forty, and then two."""
    if value >= 100:
        return 100
    return 10 if value >= 20 else 0
