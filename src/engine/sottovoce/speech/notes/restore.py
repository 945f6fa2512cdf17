"""Puts names, abbreviations and numbers back the way the notes write them, where a recogniser heard their sound.

"cuber netties" becomes Kubernetes, "a p i" API, "тридцать пять процентов" 35 %: if that is in the notes. Nothing else
of a transcript changes, and what is uncertain stays as it was heard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sottovoce.speech.notes.numbers import CARDINALS, numbered
from sottovoce.speech.notes.sounds import romanized, sounds
from sottovoce.speech.notes.vocabulary import Terms
from sottovoce.speech.notes.words import QUESTION_WORDS, STOP_WORDS

#: Words that one name may have been heard as.
MAX_SPLIT = 4
#: Consonants of a name at least: with fewer, ordinary words sound the same.
LEAST_SOUNDS = 3
#: Likeness of letters (Indel, both in Latin letters) from which words that sound like a name are taken for it: for one
#: word, and for several together, which are no word by chance more often.
LEAST_ALIKE_ONE = 0.72
LEAST_ALIKE_SPLIT = 0.62
#: The same where one consonant differs; only for names with five or more.
LEAST_ALIKE_NEAR = 0.70
_SOUNDS_FOR_NEAR = 5

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

_ENGLISH_LETTERS = {
    "A": "a ay eh", "B": "b be bee", "C": "c see sea", "D": "d dee", "E": "e ee", "F": "f ef eff", "G": "g gee",
    "H": "h aitch", "I": "i eye", "J": "j jay", "K": "k kay okay", "L": "l el ell", "M": "m em", "N": "n en",
    "O": "o oh", "P": "p pee pea", "Q": "q cue queue", "R": "r are ar", "S": "s es ess", "T": "t tee tea",
    "U": "u you", "V": "v vee", "W": "w", "X": "x ex", "Y": "y why", "Z": "z zee zed",
}  # fmt: skip
_RUSSIAN_NAMES_OF_ENGLISH = {
    "A": "эй", "B": "би", "C": "си", "D": "ди", "E": "и", "F": "эф", "G": "джи", "H": "эйч аш", "I": "ай",
    "J": "джей", "K": "кей", "L": "эл эль", "M": "эм", "N": "эн", "O": "о оу", "P": "пи", "Q": "кью ку", "R": "ар",
    "S": "эс", "T": "ти", "U": "ю", "V": "ви", "W": "даблю", "X": "экс икс", "Y": "вай", "Z": "зед зет",
}  # fmt: skip
_RUSSIAN_LETTERS = {
    "А": "а", "Б": "бэ б", "В": "вэ в", "Г": "гэ г", "Д": "дэ д", "Е": "е", "Ж": "жэ же", "З": "зэ з", "И": "и",
    "К": "ка к", "Л": "эл эль л", "М": "эм м", "Н": "эн н", "О": "о", "П": "пэ п", "Р": "эр р", "С": "эс с",
    "Т": "тэ т", "У": "у", "Ф": "эф ф", "Х": "ха х", "Ц": "цэ ц", "Ч": "че ч", "Ш": "ша ш", "Щ": "ща щ", "Ы": "ы",
    "Э": "э", "Ю": "ю", "Я": "я",
}  # fmt: skip
_LETTERS = (_ENGLISH_LETTERS, _RUSSIAN_NAMES_OF_ENGLISH, _RUSSIAN_LETTERS)
_DOUBLE_U = (("double", "u"), ("double", "you"), ("дабл", "ю"), ("дубль", "вэ"))
#: Names of letters that are words as well.
_ALSO_WORDS_LIST = """
a be bee see sea i eye o oh are you why tea pea queue cue ex eh ay okay el
а в и к о с у я е же ка ку си
"""
_ALSO_WORDS = frozenset(_ALSO_WORDS_LIST.split())


@dataclass(frozen=True, slots=True)
class Change:
    """What was heard, and what stands in its place."""

    heard: str
    written: str


@dataclass(frozen=True, slots=True)
class Restored:
    """A transcript with what was changed in it."""

    text: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class _Token:
    word: str  # in lower case, ё as е
    start: int
    end: int


class Restorer:
    """Restores the terms of some notes. Safe to use from several threads.

    Parameters
    ----------
    terms : Terms
        What to restore.
    """

    def __init__(self, terms: Terms) -> None:
        self._numbers = terms.numbers
        self._ordinary = terms.ordinary | STOP_WORDS | QUESTION_WORDS
        self._written = {_plain(name) for name in (*terms.names, *terms.abbreviations)}
        self._names: dict[str, list[str]] = {}
        for name in terms.names:
            heard = sounds(_plain(name))
            if len(heard) >= LEAST_SOUNDS:
                self._names.setdefault(heard, []).append(name)
        self._long = [heard for heard in self._names if len(heard) >= _SOUNDS_FOR_NEAR]
        self._spelled: dict[str, list[str]] = {}
        for name in terms.abbreviations:
            for spoken in (*_names_of(name[0]), *(first for first, _ in _DOUBLE_U if name[0] == "W")):
                self._spelled.setdefault(spoken, []).append(name)

    def __call__(self, text: str) -> Restored:
        """Restore what is certain in a transcript."""
        tokens = [_Token(_plain(found[0]), *found.span()) for found in _TOKEN.finditer(text)]
        pieces, changes = [], []
        at = done = 0
        while at < len(tokens):
            count, written = self._spelling(tokens, at) or self._number(tokens, at) or self._name(tokens, at) or (1, "")
            if written:
                start, end = tokens[at].start, tokens[at + count - 1].end
                changes.append(Change(text[start:end], written))
                pieces += [text[done:start], written]
                done = end
            at += count
        return Restored("".join((*pieces, text[done:])), tuple(changes)) if changes else Restored(text)

    def _spelling(self, tokens: Sequence[_Token], at: int) -> tuple[int, str] | None:
        """An abbreviation that was heard letter by letter; of several the longest."""
        found: tuple[int, str] | None = None
        for name in self._spelled.get(tokens[at].word, ()):
            count = _spelled_by(name, [token.word for token in tokens[at : at + 2 * len(name)]])
            if count > (found[0] if found else 0):
                found = count, name
        return found

    def _number(self, tokens: Sequence[_Token], at: int) -> tuple[int, str] | None:
        """A number of the notes that was heard in words; single small ones are more often no numbers at all."""
        if tokens[at].word not in CARDINALS:
            return None
        heard = [token.word for token in tokens[at : at + 12]]
        found = list(numbered(heard))
        value, _, behind = found[0]
        percent = len(found) > 1 and found[1][0] == "%"
        if value not in self._numbers or (not percent and len(value) < 2):
            return None
        return (found[1][2], f"{value} %") if percent else (behind, value)

    def _name(self, tokens: Sequence[_Token], at: int) -> tuple[int, str] | None:
        """A name that sounds like the next words, the longest first."""
        for count in range(min(MAX_SPLIT, len(tokens) - at), 0, -1):
            heard = [token.word for token in tokens[at : at + count]]
            if any(word in self._written for word in heard) or any(map(str.isdigit, "".join(heard))):
                continue
            if count == 1 and heard[0] in self._ordinary:
                continue
            if heard[0] in STOP_WORDS or heard[-1] in STOP_WORDS:
                continue
            if (name := self._sounding_like("".join(heard), count)) is not None:
                return count, name
        return None

    def _sounding_like(self, heard: str, count: int) -> str | None:
        from rapidfuzz.distance import Indel, Levenshtein
        from rapidfuzz.process import extractOne

        sound = sounds(heard)
        least = LEAST_ALIKE_ONE if count == 1 else LEAST_ALIKE_SPLIT
        names = self._names.get(sound)
        if names is None and len(sound) >= _SOUNDS_FOR_NEAR - 1:
            near = extractOne(sound, self._long, scorer=Levenshtein.distance, score_cutoff=1)
            names, least = (self._names[near[0]] if near else None), LEAST_ALIKE_NEAR
        if not names:
            return None
        spelled = romanized(heard)
        alike = {name: Indel.normalized_similarity(spelled, romanized(_plain(name))) for name in names}
        best = max(alike, key=lambda name: alike[name])
        return best if alike[best] >= least else None


def _plain(word: str) -> str:
    return "".join(letter for letter in word.lower().replace("ё", "е") if letter.isalnum())


def _names_of(letter: str) -> tuple[str, ...]:
    """How a letter or figure of an abbreviation is said."""
    if letter.isdecimal():
        return (letter, *(word for word, value in CARDINALS.items() if str(value) == letter))
    return tuple(" ".join((table.get(letter, "")) for table in _LETTERS).split())


def _spelled_by(name: str, heard: Sequence[str]) -> int:
    """How many of the words spell the name, from the first; 0 if they do not, or may as well be ordinary words."""
    at = certain = 0
    for letter in name:
        if letter == "W" and tuple(heard[at : at + 2]) in _DOUBLE_U:
            at, certain = at + 2, certain + 1
        elif at < len(heard) and heard[at] in _names_of(letter):
            certain += heard[at] not in _ALSO_WORDS
            at += 1
        else:
            return 0
    return at if certain >= max(1, 4 - len(name)) else 0
