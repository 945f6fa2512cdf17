"""Thousands of made-up notes of real words, the same ones each time, and questions with and without an answer in them.

English words are the commonest of pocketsphinx's dictionary, by its language model; Russian ones are listed here.
Notes come in subjects: those of one subject share most of their words, and are what is easily confused. Their headings
are questions of eight words in the middle, put together from frames and words of content. The questions of people who
ask about something else come in two kinds: about the same subjects, but of no note (near), and of everyday life (far).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

from bench.misheard import ENGLISH_KINDS, RUSSIAN_KINDS, Errors, Mishearing
from sottovoce.speech.notes.note import Note
from sottovoce.speech.notes.words import QUESTION_WORDS, STOP_WORDS, content_words

_NOTES_IN_A_SUBJECT = 40
_WORDS_OF_A_SUBJECT = 90
#: Part of the content words that belong to the note's subject.
_OWN = 0.7


@dataclass(frozen=True, slots=True)
class Corpus:
    """Notes, and questions about them.

    Attributes
    ----------
    notes : tuple of Note
        Each with one question as its heading.
    reworded : tuple of str
        For each note, its question with the same words of content in another frame.
    near, far : tuple of str
        Questions that no note answers.
    mishear : Mishearing
        A recogniser of this language that errs.
    """

    notes: tuple[Note, ...]
    reworded: tuple[str, ...]
    near: tuple[str, ...]
    far: tuple[str, ...]
    mishear: Mishearing


_FRAMES = {
    3: (
        "how does the {} affect the {} of the {}",
        "what happens to the {} when the {} is {}",
        "why did we choose the {} for the {} and not the {}",
        "who will take care of the {} after the {} and the {}",
        "when can we expect the {} for the {} with {}",
        "where do you keep the {} that the {} needs for {}",
    ),
    4: (
        "how much of the {} comes from the {} {} and the {}",
        "what is the difference between the {} {} and the {} {}",
        "why does the {} {} depend on the {} of the {}",
        "which {} of the {} will be {} by the {}",
        "how can the {} be {} without the {} of the {}",
        "what do you think about the {} and the {} in the {} {}",
    ),
    5: (
        "how long will the {} {} take if the {} and the {} are {}",
        "what should we do about the {} of the {} {} before the {} is {}",
        "who decided that the {} {} should be part of the {} {} for the {}",
        "which of the {} {} was more {} than the {} {}",
    ),
}

_FAR = """
what is the weather like tomorrow
can i have a cup of coffee please
are you married
what time is it now
who won the football match last night
where did you grow up
how are your children
could you open the window please
did you have a good flight this morning
what did you eat for breakfast today
do you like living in this city
how do i get to the train station
have you seen that new movie yet
what kind of music do you listen to
is there a good restaurant near here
can you hear me at the back of the room
how old is your daughter now
shall we take a short break
where is the bathroom please
do you want some water
what are you doing this weekend
how long have you been waiting
did you sleep well in the hotel
would you like to sit down
is your brother still in the army
what was the name of your first teacher
have you ever been to australia
how much did you pay for that jacket
when is your birthday
can somebody turn off the air conditioning
do you play any instrument
which bus goes to the airport
are we going to have lunch together
what is your favorite color
did anybody lose a pair of glasses
how was your holiday at the lake
why is everybody laughing
is it going to rain this afternoon
do you have a dog or a cat
what are you reading at the moment
"""

_RUSSIAN_FRAMES = (
    ("как {m} влияет на {m2} {fg}", "какое влияние {m} оказывает на {m2} {fg}"),
    ("почему {f} зависит от {mg} и {fg2}", "отчего {f} так зависит от {mg} и от {fg2}"),
    ("сколько стоит {m} для {fg} и {mg2}", "какая цена за {m} для {fg} или {mg2}"),
    ("когда {m} попадет в {fa} без {mg2}", "в каком месяце {m} окажется в {fa} без {mg2}"),
    ("что делать если {f} теряет {m} и {m2}", "как быть когда {f} потеряла {m} и {m2}"),
    ("кто отвечает за {m} и {fa} после {mg2}", "кто у вас ответственный за {fa} и {m} после {mg2}"),
    ("зачем нам {f} вместо {mg} и {mg2}", "для чего вам понадобилась {f} вместо {mg} и {mg2}"),
    ("где хранится {m} для {fg} до {mg2}", "в каком месте лежит {m} для {fg} до {mg2}"),
)

#: Nouns that are inflected as "завод": nominative and accusative are alike, the genitive ends in "а".
_MASCULINE_WORDS = """
завод отчет проект бюджет договор контракт заказ рынок продукт экран аппарат прибор насос клапан датчик кабель мотор
провод разъем корпус магазин склад офис отдел город регион маршрут вокзал вагон поезд трактор комбайн автобус
самолет двигатель завтрак обед суп салат хлеб сахар мед журнал роман рассказ сценарий театр концерт оркестр альбом
фильм сериал телефон ноутбук сервер принтер сканер монитор интернет сайт каталог пароль алгоритм модуль пакет архив
файл документ патент закон приказ устав протокол суд адвокат налог кредит депозит процент платеж аванс штраф тариф
баланс дивиденд климат ветер дождь снег лед океан остров берег лес сад парк урожай огурец томат виноград банан лимон
апельсин хирург диагноз симптом анализ препарат витамин сустав желудок позвоночник организм иммунитет вирус микроб
учебник экзамен диплом семинар доклад конспект урок класс факультет институт университет
"""
_MASCULINE = _MASCULINE_WORDS.split()
#: Nouns that are inflected as "лампа".
_FEMININE_WORDS = """
лампа батарея команда программа система машина дорога погода реклама продажа покупка прибыль поставка доставка
упаковка этикетка коробка фабрика мельница шахта скважина турбина плотина станция схема плата кнопка камера антенна
линза пружина бумага печать книга газета статья страница глава песня сцена роль картина рамка краска кисть глина
скульптура квартира комната кухня мебель кровать лестница крыша стена плитка ванна труба розетка проводка школа
оценка задача формула теорема таблица диаграмма лекция группа практика стипендия больница палата аптека таблетка
повязка операция прививка болезнь температура диета граница таможня виза гостиница экскурсия путевка палатка лодка
яхта рыбалка охота пшеница кукуруза картошка капуста морковь теплица ферма корова коза курица пчела валюта ипотека
страховка пенсия зарплата премия инфляция облигация акция биржа комиссия
"""
_FEMININE = _FEMININE_WORDS.split()

_RUSSIAN_FAR = """
какая завтра погода
вы женаты
сколько вам лет
где вы выросли
как доехать до центра
кто вчера выиграл матч
можно мне чашку чая
любите ли вы собак
что вы ели утром
какую музыку вы слушаете
откройте пожалуйста окно
вы хорошо спали ночью
когда у вас день рождения
хотите присесть на минуту
есть ли рядом хорошее кафе
вы были когда нибудь в австралии
как зовут вашу сестру
во сколько мы пойдем обедать
меня хорошо слышно сзади
почему все смеются
""".strip().splitlines()


@cache
def english(count: int, near: int = 800, seed: int = 11) -> Corpus:
    """An English corpus of ``count`` notes; ImportError if pocketsphinx is not installed."""
    commonness, phones = _english_words()
    ranked = sorted(commonness, key=lambda word: -commonness[word])
    about = [
        word
        for word in ranked
        if len(word) > 3 and word.isalpha() and word not in STOP_WORDS and word not in QUESTION_WORDS
    ][120:7000]
    rng = random.Random(seed)
    write = _EnglishWriter(about, commonness, rng)
    heard = {word: phones[word] for word in ranked[:10_000]}
    mishear = Mishearing(heard, commonness, ENGLISH_KINDS, lambda word: phones.get(word, ()))
    return _corpus(count, near, write, _FAR.strip().splitlines(), mishear)


def unknowing(names: Sequence[str]) -> Mishearing:
    """A recogniser that hears every sound, but does not know these words: it takes them for one or two others."""
    commonness, phones = _english_words()
    ranked = sorted(commonness, key=lambda word: -commonness[word])[:20_000]
    heard = {word: phones[word] for word in ranked if word not in names}
    errors = Errors((1.0, 0.0, 0.0), (0.0, 0.5, 0.5), 0.0, 0.0, 0.0, 0.0)
    return Mishearing(heard, commonness, ENGLISH_KINDS, lambda word: phones.get(word, ()), errors)


@cache
def russian(count: int, near: int = 400, seed: int = 12) -> Corpus:
    """A Russian corpus of ``count`` notes."""
    rng = random.Random(seed)
    write = _RussianWriter(rng)
    said = [write(at // _NOTES_IN_A_SUBJECT) for at in range(2000)]
    heard = {word for note, other in said for word in (*note.title.rstrip("?").split(), *other.split())}
    heard |= {word for text in _RUSSIAN_FAR for word in text.split()}
    common = {word: 1e-3 if word in STOP_WORDS or word in QUESTION_WORDS else 1e-5 for word in heard}
    kinds = set("".join(RUSSIAN_KINDS))
    phones = {word: [letter for letter in _as_said(word) if letter in kinds] for word in sorted(heard)}
    mishear = Mishearing(phones, common, RUSSIAN_KINDS, lambda word: list(_as_said(word)))
    return _corpus(count, near, write, _RUSSIAN_FAR, mishear)


def _corpus(
    count: int, near: int, write: Callable[[int], tuple[Note, str]], far: Sequence[str], mishear: Mishearing
) -> Corpus:
    subjects = max(1, count // _NOTES_IN_A_SUBJECT)
    found: dict[frozenset[str], tuple[Note, str]] = {}
    while len(found) < count + near:  # no two questions about the same
        note, other = write(len(found) % subjects)
        found.setdefault(frozenset(content_words(note.title)), (note, other))
    pairs = list(found.values())
    kept = pairs[:count]
    return Corpus(
        tuple(note for note, _ in kept),
        tuple(other for _, other in kept),
        tuple(note.title.rstrip("?") for note, _ in pairs[count:]),
        tuple(far),
        mishear,
    )


class _EnglishWriter:
    def __init__(self, about: Sequence[str], commonness: Mapping[str, float], rng: random.Random) -> None:
        self._about = about
        self._cumulated = list(accumulate(commonness[word] ** 0.5 for word in about))
        self._rng = rng
        self._subjects: dict[int, list[str]] = {}

    def __call__(self, subject: int) -> tuple[Note, str]:
        rng = self._rng
        if subject not in self._subjects:
            self._subjects[subject] = self._draw(_WORDS_OF_A_SUBJECT)
        own = self._subjects[subject]
        slots = rng.choices((3, 4, 5), (0.4, 0.4, 0.2))[0]
        words = self._some(own, slots)
        first, second = rng.sample(_FRAMES[slots], 2)
        points = tuple(" ".join(self._some(own, rng.randint(5, 9))) for _ in range(rng.randint(3, 5)))
        title = first.format(*words)
        note = Note(f"{title}?", (f"{title}?",), points, Path(f"subject-{subject}.md"), 1, (" ".join(own[:2]),))
        return note, second.format(*words)

    def _some(self, own: Sequence[str], count: int) -> list[str]:
        rng = self._rng
        found: dict[str, None] = {}
        while len(found) < count:
            found[
                rng.choice(own) if rng.random() < _OWN else rng.choices(self._about, cum_weights=self._cumulated)[0]
            ] = None
        return list(found)

    def _draw(self, count: int) -> list[str]:
        return list(dict.fromkeys(self._rng.choices(self._about, cum_weights=self._cumulated, k=count)))


class _RussianWriter:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._subjects: dict[int, tuple[list[str], list[str]]] = {}

    def __call__(self, subject: int) -> tuple[Note, str]:
        rng = self._rng
        if subject not in self._subjects:
            self._subjects[subject] = rng.sample(_MASCULINE, 14), rng.sample(_FEMININE, 12)
        own, hers = self._subjects[subject]
        m, m2 = self._two(own, _MASCULINE)
        f, f2 = self._two(hers, _FEMININE)
        forms = {"m": m, "m2": m2, "mg": _of_masculine(m), "mg2": _of_masculine(m2), "f": f, "f2": f2,
                 "fg": _of_feminine(f), "fg2": _of_feminine(f2), "fa": _to_feminine(f)}  # fmt: skip
        first, second = rng.choice(_RUSSIAN_FRAMES)
        title = first.format(**forms)
        points = tuple(" и ".join(rng.sample(own, 3) + rng.sample(hers, 2)) for _ in range(3))
        note = Note(f"{title}?", (f"{title}?",), points, Path(f"тема-{subject}.md"), 1, ())
        return note, second.format(**forms)

    def _two(self, own: Sequence[str], all_words: Sequence[str]) -> tuple[str, str]:
        rng = self._rng
        first = rng.choice(own) if rng.random() < _OWN else rng.choice(all_words)
        others = [word for word in (own if rng.random() < _OWN else all_words) if word != first]
        return first, rng.choice(others)


def _of_masculine(word: str) -> str:
    if word.endswith(("ец", "ок")) and word != "урок":
        return {"огурец": "огурца", "рынок": "рынка"}.get(word, word + "а")
    if word[-1] in "йь":
        return word[:-1] + "я"
    return {"лед": "льда"}.get(word, word + "а")


def _of_feminine(word: str) -> str:
    if word.endswith(("ь", "я")):
        return word[:-1] + "и"
    return word[:-1] + ("и" if word[-2] in "гкхжшчщ" else "ы")


def _to_feminine(word: str) -> str:
    if word.endswith("ь"):
        return word
    return word[:-1] + ("ю" if word.endswith("я") else "у")


_SAID = str.maketrans({"ё": "о", "я": "а", "ю": "у", "ь": "", "ъ": ""})
_DEVOICED = str.maketrans("бвгджз", "пфктшс")


def _as_said(word: str) -> str:
    """Russian letters nearly are phones; a consonant at the end loses its voice."""
    said = word.translate(_SAID)
    return said[:-1] + said[-1:].translate(_DEVOICED)


def _english_words() -> tuple[dict[str, float], dict[str, list[str]]]:
    """How common each word of pocketsphinx's dictionary is by its language model, and its phones."""
    import pocketsphinx

    folder = Path(pocketsphinx.get_model_path()) / "en-us"
    decoder = pocketsphinx.Decoder(loglevel="FATAL", dict=str(folder / "cmudict-en-us.dict"), lm=None)
    model = pocketsphinx.NGramModel(decoder.config, decoder.logmath, str(folder / "en-us.lm.bin"))
    phones: dict[str, list[str]] = {}
    for line in (folder / "cmudict-en-us.dict").read_text(encoding="utf-8").splitlines():
        word, *sounds = line.split()
        if "(" not in word and word.replace("'", "").isalpha():
            phones[word] = sounds
    commonness = {word: float(decoder.logmath.exp(int(model.prob([word])))) for word in phones}
    return commonness, phones
