"""How fast models answer, how well they keep to what they are asked for, and which is the fastest within limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from statistics import median

from sottovoce.app.model_checks import in_language, short
from sottovoce.assistant.theses import ThesisLines
from sottovoce.core.cancel import CancelToken
from sottovoce.core.clock import Clock
from sottovoce.core.errors import BackendError
from sottovoce.speech.llm.base import Generator, Question
from sottovoce.speech.usage import Account, Part, Usage, charged_to

#: Asked where nobody says what to ask, one after another.
QUESTIONS = {
    "en": (
        "What would you do first if the deadline was moved forward by two weeks?",
        "How do you make sure that the quality does not suffer when the team grows?",
        "Why should we choose you and not somebody cheaper?",
    ),
    "ru": (
        "Что вы сделаете в первую очередь, если срок перенесут на две недели вперёд?",
        "Как вы добиваетесь того, чтобы качество не страдало при росте команды?",
        "Почему мы должны выбрать вас, а не кого-нибудь подешевле?",
    ),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model of a provider, by their names in the settings."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"


@dataclass(frozen=True, slots=True)
class Run:
    """One answer.

    Attributes
    ----------
    first_ms, thesis_ms, whole_ms : float or None
        From the question to the first words, to the end of the first thesis, and to the end of the answer; None if
        there was none.
    theses : int
        How many it has.
    language, short : bool
        Whether it is in the language that was wanted, and every thesis short enough to be heard.
    output_tokens : int
        Length of the answer.
    nano_usd : int or None
        What it cost, in billionths of a dollar; None is unknown.
    error : str
        Why there is no answer, or empty.
    """

    first_ms: float | None = None
    thesis_ms: float | None = None
    whole_ms: float | None = None
    theses: int = 0
    language: bool = True
    short: bool = True
    output_tokens: int = 0
    nano_usd: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median and the 95th percentile of some runs; None if there were none."""

    p50: float | None
    p95: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of these values; the percentile is one of them (nearest rank)."""
        ordered = sorted(values)
        return cls(median(ordered), ordered[math.ceil(0.95 * len(ordered)) - 1]) if ordered else cls(None, None)


@dataclass(slots=True)
class Figures:
    """What was measured of a candidate."""

    candidate: Candidate
    max_theses: int
    runs: list[Run] = field(default_factory=list)

    @property
    def answers(self) -> list[Run]:
        """The runs with an answer."""
        return [run for run in self.runs if not run.error]

    @property
    def failures(self) -> list[str]:
        """Why the other runs had none."""
        return [run.error for run in self.runs if run.error]

    @property
    def first_ms(self) -> Spread:
        return Spread.of([run.first_ms for run in self.answers if run.first_ms is not None])

    @property
    def thesis_ms(self) -> Spread:
        return Spread.of([run.thesis_ms for run in self.answers if run.thesis_ms is not None])

    @property
    def whole_ms(self) -> Spread:
        return Spread.of([run.whole_ms for run in self.answers if run.whole_ms is not None])

    @property
    def output_tokens(self) -> Spread:
        return Spread.of([run.output_tokens for run in self.answers])

    @property
    def nano_usd(self) -> int | None:
        """Median cost of an answer; None if the price is unknown."""
        costs = [run.nano_usd for run in self.answers if run.nano_usd is not None]
        return round(median(costs)) if costs else None

    @property
    def too_many(self) -> int:
        """Answers with more theses than were wanted."""
        return sum(run.theses > self.max_theses for run in self.answers)

    @property
    def other_language(self) -> int:
        """Answers in another language."""
        return sum(not run.language for run in self.answers)

    @property
    def too_long(self) -> int:
        """Answers with a thesis that takes too long to hear."""
        return sum(not run.short for run in self.answers)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model has to keep to be picked; None is no limit.

    Attributes
    ----------
    first_ms, thesis_ms, whole_ms : float or None
        Most milliseconds (median) to the first words, the first thesis, the end.
    tokens : int or None
        Longest answer (median).
    nano_usd : int or None
        Dearest answer (median), in billionths of a dollar; a model without a price does not keep it.
    stray : float
        Part of the runs that may fail, or stray from what was asked for: language, length, number of theses.
    """

    first_ms: float | None = None
    thesis_ms: float | None = None
    whole_ms: float | None = None
    tokens: int | None = None
    nano_usd: int | None = None
    stray: float = 0.1

    def broken_by(self, figures: Figures) -> str:
        """What keeps a model from being picked; empty if nothing does."""
        if not figures.answers:
            return "no answer"
        spreads = (
            ("first words", figures.first_ms.p50, self.first_ms, "ms"),
            ("first thesis", figures.thesis_ms.p50, self.thesis_ms, "ms"),
            ("whole answer", figures.whole_ms.p50, self.whole_ms, "ms"),
            ("answer", figures.output_tokens.p50, self.tokens, "tokens"),
        )
        for what, value, limit, unit in spreads:
            if limit is not None and (value is None or value > limit):
                found = "none" if value is None else f"{value:.0f}"
                return f"{what} {found} > {limit:g} {unit}"
        if self.nano_usd is not None and (figures.nano_usd is None or figures.nano_usd > self.nano_usd):
            return "price unknown" if figures.nano_usd is None else "too dear"
        strays = (
            ("failed", len(figures.failures), len(figures.runs)),
            ("in another language", figures.other_language, len(figures.answers)),
            ("too long to hear", figures.too_long, len(figures.answers)),
            ("with too many theses", figures.too_many, len(figures.answers)),
        )
        return next((f"{count} of {runs} {what}" for what, count, runs in strays if count > self.stray * runs), "")


def fastest(measured: Sequence[Figures], limits: Limits) -> Figures | None:
    """The model within the limits whose first thesis comes soonest (median), since that is what is waited for."""
    fitting = [figures for figures in measured if not limits.broken_by(figures) and figures.thesis_ms.p50 is not None]
    return min(fitting, key=lambda figures: figures.thesis_ms.p50 or 0.0, default=None)


class Meter:
    """An account that also keeps what the last call has used up."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.last: Usage | None = None

    def admit(self, part: Part, provider: str) -> None:
        self._account.admit(part, provider)

    def opened(self) -> None:
        self._account.opened()

    def closed(self, usage: Usage | None) -> None:
        self.last = usage
        self._account.closed(usage)


def measure(
    generators: Sequence[tuple[Candidate, Generator]],
    questions: Sequence[Question],
    runs: int,
    account: Account,
    price: Callable[[Usage], int | None],
    clock: Clock,
) -> Iterator[tuple[Candidate, Run]]:
    """Ask every model every time before the next round, each round beginning with another one.

    So whatever disturbs the network for a while disturbs all of them.
    """
    for number in range(runs):
        question = questions[number % len(questions)]
        start = number % len(generators)
        for candidate, generator in [*generators[start:], *generators[:start]]:
            yield candidate, _run(generator, question, account, price, clock)


def _run(
    generator: Generator,
    question: Question,
    account: Account,
    price: Callable[[Usage], int | None],
    clock: Clock,
) -> Run:
    meter, lines, theses = Meter(account), ThesisLines(question.text), list[str]()
    start_ns = clock.now_ns()
    first_ms = thesis_ms = None
    error = ""
    try:
        with charged_to(meter):
            deltas = generator.generate(question, CancelToken())
            with closing(deltas):  # type: ignore[type-var]
                for delta in deltas:
                    now_ms = (clock.now_ns() - start_ns) / 1e6
                    if first_ms is None and delta.text.strip():
                        first_ms = now_ms
                    theses += lines.feed(delta.text)
                    if thesis_ms is None and theses:
                        thesis_ms = now_ms
        theses += lines.finish()
        error = "" if theses else "an empty answer"
    except BackendError as failure:
        error = failure.message
    used = meter.last
    return Run(
        first_ms,
        thesis_ms,
        (clock.now_ns() - start_ns) / 1e6,
        len(theses),
        in_language(theses, question.language),
        all(map(short, theses)),
        0 if used is None else used.output_tokens,
        None if used is None else price(used),
        error,
    )
