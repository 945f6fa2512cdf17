"""Does a transcript read like a whole question? Then a short silence ends it, else a long one.

Works on what recognisers give, which often has no punctuation and no capitals. Saying no too often costs a quarter of
a second; saying yes too often cuts people short. So a text must look like a question that has its object, and must not
end in a word that something follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol


class EndOfQuestion(Protocol):
    """Says whether a text in a language (ISO 639-1) reads like a whole question; a turn model may stand here."""

    def __call__(self, text: str, language: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Grammar:
    """The words of a language that tell.

    Attributes
    ----------
    openers : frozenset of str
        Words that begin a question or a request, at the start or after :attr:`leads`.
    bridges : frozenset of str
        Words of a question that are not its object: with an opener alone they are no whole question.
    hanging : frozenset of str
        Words that something follows.
    leads : frozenset of str
        Words that may stand before the opener.
    enclitics : frozenset of str
        Words that make a question of a statement wherever they stand.
    stranded : frozenset of str
        Hanging words that may end a question which began with an opener, as in "what is it for".
    helpers, subjects : frozenset of str
        A subject right after a helping verb waits for its own verb: "which one do you".
    """

    openers: frozenset[str]
    bridges: frozenset[str]
    hanging: frozenset[str]
    leads: frozenset[str]
    enclitics: frozenset[str] = frozenset()
    stranded: frozenset[str] = frozenset()
    helpers: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH_AUXILIARIES = """am is are was were be been do does did have has had can could will would shall should
    may might must
    isn't aren't wasn't weren't don't doesn't didn't haven't hasn't hadn't can't couldn't won't wouldn't
            shouldn't"""

_GRAMMARS = {
    "en": _Grammar(
        openers=_words(
            """what what's who who's whom whose which when when's where where's why how how's tell explain describe
            give name list show say summarize summarise compare define """
            + _ENGLISH_AUXILIARIES
        ),
        bridges=_words(
            """i you he she it we they me us him her them this that these those there one the a an my your his
            its our
            their about please just really actually exactly long many much often far old kind sort of to """
            + _ENGLISH_AUXILIARIES
        ),
        hanging=_words(
            """a an the my your his her its our their this these those and or but nor so because if unless until while
            although though since than as whether that which who whom whose of to in on at by for from with without
            into onto about between among through during before after under over against toward towards per via like
            very quite too more most less is are was were am be been being do does did have has had can could will
            would shall should may might must not um uh er erm hmm mm i we they he she who's what's let's i'm we're
            you're they're i've we've you've it's that's there's some any every each another such what why how when
            where"""
        ),
        leads=_words(
            """and so but or then now well okay ok right please hey hi hello sorry excuse me um uh er erm yeah yes no
            also maybe in at on for with to by of from about the first second last next"""
        ),
        stranded=_words("for to in on at by from with about of like into over under through it do does did is are was"),
        helpers=_words("do does did can could will would shall should may might must have has had"),
        subjects=_words("i you he she it we they this that these those one people everybody somebody"),
    ),
    "ru": _Grammar(
        openers=_words(
            """что чего чему чем чём кто кого кому кем ком где куда откуда когда почему зачем отчего как какой какая
            какое какие каким каком какого какую каких какими сколько насколько чей чья чьё чьи который которая
            которое которые расскажи расскажите объясни объясните скажи скажите назови назовите опиши опишите поясни
            поясните покажи покажите перечисли перечислите дай дайте сравни сравните напомни напомните есть можно
            можете можешь нужно надо правда разве неужели"""
        ),
        bridges=_words(
            """это этот эта эти тот та те такое такой такая такие вы ты он она оно они мы я вам тебе нам мне его её ей
            им их ему бы же ли вообще именно пожалуйста про о об было был была были будет будут есть у вас нас тебя
            меня"""
        ),
        hanging=_words(
            """и а но или либо да что чтобы если когда пока хотя потому поэтому так как в во на с со к ко у о об обо
            про по за из изо от до для без при над под через между перед около против вместо не ни ли бы же очень
            самый самая самое самые более менее мой моя моё мои твой твоя ваш ваша ваше ваши наш наша наше наши свой
            своя свои этот эта этой этого этом тот та той который которая которое которые которого которой какой
            какая какое какие э эм мм ну вот типа значит почему зачем где куда кто чем"""
        ),
        leads=_words(
            "и а но ну так вот значит слушай слушайте извини извините простите да нет в на с к о об про по за"
        ),
        enclitics=_words("ли"),
    ),
}

#: A question of fewer words is rarely all.
_LEAST_WORDS = 3

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+", re.UNICODE)


def reads_finished(text: str, language: str) -> bool:
    """Whether ``text`` reads like a whole question, or a whole request to tell something.

    Parameters
    ----------
    text : str
        A transcript, with or without punctuation and capitals.
    language : str
        ISO 639-1 code; of languages other than English and Russian only punctuation is understood.
    """
    stripped = text.rstrip().rstrip("\"'»”)")
    if stripped.endswith(("...", "…", ",", "-", "–", "—", ":", ";")):
        return False
    words = [word.replace("’", "'") for word in _WORD.findall(text.lower())]
    grammar = _GRAMMARS.get(language)
    if stripped.endswith(("?", "？")):
        return grammar is None or not words or words[-1] not in grammar.hanging or _may_strand(words, grammar)
    if grammar is None or len(words) < _LEAST_WORDS:
        return False
    opened = _after_opener(words, grammar)
    if opened is None:
        return False
    if words[-1] in grammar.hanging and not _may_strand(words, grammar):
        return False
    if words[-1] in grammar.subjects and words[-2] in grammar.helpers:
        return False
    return any(word not in grammar.bridges and word not in grammar.openers for word in opened)


def _after_opener(words: list[str], grammar: _Grammar) -> list[str] | None:
    """What follows the word that makes the text a question; None if there is none."""
    for at, word in enumerate(words):
        if word in grammar.openers:
            return words[at + 1 :]
        if word not in grammar.leads:
            break
    return words if grammar.enclitics.intersection(words[1:]) else None


def _may_strand(words: list[str], grammar: _Grammar) -> bool:
    return words[-1] in grammar.stranded and len(words) > _LEAST_WORDS and words[0] in grammar.openers
