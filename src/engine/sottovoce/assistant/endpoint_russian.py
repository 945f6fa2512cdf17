"""What a whole question is in Russian: rules of thumb, without a lexicon.

The order of words is free, but endings tell: an adjective waits for its noun. Where an ending may be that of a noun or
a verb, too, it is taken for one.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPENERS = _words(
    """что чего чему чем чём кто кого кому кем ком где куда откуда когда почему зачем отчего как какой какая какое
    какие каким каком какого какую каких какими сколько насколько чей чья чьё чьи который которая которое которые
    расскажи расскажите объясни объясните скажи скажите назови назовите опиши опишите поясни поясните покажи
    покажите перечисли перечислите дай дайте сравни сравните напомни напомните есть можно можете можешь нужно
    надо правда разве неужели"""
)

#: Make a question of a statement wherever they stand.
_ENCLITICS = _words("ли")

#: May stand before the opener.
_LEADS = _words(
    """и а но ну так вот значит слушай слушайте извини извините простите да нет в во на с со к ко о об про по за до
    от из для у"""
)

#: Words of a question that are not its object.
_BRIDGES = _words(
    """это этот эта эти тот та те такое такой такая такие вы ты он она оно они мы я вам тебе нам мне его её ей им их
    ему бы же ли вообще именно пожалуйста про о об было был была были будет будут есть у вас нас тебя меня"""
)

#: Something follows them.
_HANGING = _words(
    """и а но или либо да что чтобы если когда пока хотя потому поэтому так как в во на с со к ко у о об обо про по
    за из изо от ото до для без при над надо под через между перед около против вместо среди кроме ради благодаря
    согласно насчёт насчет вокруг возле внутри не ни ли бы же очень самый самая самое самые более менее мой моя
    моё мои твой твоя ваш ваша ваше ваши наш наша наше наши свой своя свои вашу нашу мою свою вашей нашей вашего
    нашего вашем нашем этот эта эту этой этого этом тот та ту той который которая которое которые которого
    которой какой какая какое какие какую каком э эм мм ну вот типа значит почему зачем где куда кто чем сколько
    он она оно они вы мы я ты можно нужно можете можешь могу может могут хотите хотят хочет должен должна должны
    является являются считается считаются ещё еще уже только даже тоже также обычно сейчас всё-таки"""
)

#: Endings of adjectives, longest first; those of many nouns and verbs, too, are left out.
_ADJECTIVE_ENDINGS = (
    *("ыми", "ими", "ого", "ому", "ему"),
    *("ый", "кий", "гий", "хий", "ший", "щий", "жий", "ая", "яя", "ое", "ее", "ые", "кие", "гие", "хие", "шие", "щие"),
    *("ых", "ую", "юю", "ым"),
)

#: Adjectives whose ending is that of nouns.
_ADJECTIVES = _words(
    """второй шестой седьмой восьмой большой другой любой простой основной новой старой первой третьей последней
    следующей главной третий последний следующий средний нижний верхний первые последние следующие средние
    последних следующих первом втором третьем новом старом последнем следующем главном"""
)

#: No adjectives, in spite of their ending, or such as stand alone.
_NOUNS = _words(
    """много ничего него чего того кого одного самого никого его сегодня другого прошлое будущее целое данные
    рабочий рабочие животное животные насекомые выходные столовая ванная гостиная наличные ему кому тому чему
    нему скорее быстрее важнее далее подробнее точнее"""
)

#: Adjectives after these are all there is: "какой самый дешёвый".
_SUPERLATIVE = _words("самый самая самое самые самых самую такой такая такое такие кто")

_PRONOUN_GROUPS = _words("у вас нас тебя меня неё него них вам нам мне тебе сейчас сегодня здесь тут там")
_WHICH = _words("какой какая какое какие каким каком какого какую каких какими сколько насколько чей чья чьё чьи")


def hangs(words: list[str]) -> bool:
    """Whether something follows the last word."""
    return words[-1] in _HANGING or _awaits_noun(words)


def is_whole(words: list[str]) -> bool:
    """Whether they are a question, or a request to tell something, to its end."""
    asked = _after_opener(words)
    if asked is None or hangs(words):
        return False
    opener, rest = asked
    said = [word for word in rest if word not in _BRIDGES and word not in _OPENERS]
    if opener in _WHICH and rest and rest[0] not in _PRONOUN_GROUPS and rest[0] not in _BRIDGES:
        return len(said) >= 2  # the first one is what is asked about
    return bool(said)


def _after_opener(words: list[str]) -> tuple[str, list[str]] | None:
    """The word that makes the text a question, and what follows it; None if there is none."""
    for at, word in enumerate(words):
        if word in _OPENERS:
            return word, words[at + 1 :]
        if word not in _LEADS:
            break
    return ("ли", words) if _ENCLITICS.intersection(words[1:]) else None


def _awaits_noun(words: list[str]) -> bool:
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if before in _SUPERLATIVE or last in _NOUNS:
        return False
    return last in _ADJECTIVES or (len(last) > 3 and last.endswith(_ADJECTIVE_ENDINGS))
