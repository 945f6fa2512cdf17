"""``sottovoce models bench``: which of the configured models answers soonest, and keeps to what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sottovoce.app.context import AppContext, setting_option
from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.terminal import end_on_terminate
from sottovoce.core.errors import BackendError, ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from sottovoce.app.models_bench import Candidate, Figures, Limits, Spread
    from sottovoce.app.purse import Purse
    from sottovoce.app.settings import Config
    from sottovoce.session.spending import Cost
    from sottovoce.speech.llm.base import Generator, Question
    from sottovoce.speech.notes.index import NotesIndex

_NAMES_HINT = "name models as PROVIDER:MODEL, as gemini:gemini-flash-lite-latest, or set llm.backend to a service"


@click.command("bench")
@click.argument("models", nargs=-1, metavar="[PROVIDER:MODEL]...")
@click.option("--runs", type=click.IntRange(1, 1000), default=10, show_default=True, help="Answers of each model.")
@click.option("--ask", "asked", multiple=True, metavar="QUESTION", help="Ask this; may be repeated.")
@setting_option("--language", key="llm.language", metavar="CODE", help="Language of the theses, as en or ru.")
@setting_option("--notes", key="notes.path", metavar="DIR", help="Your notes; what fits goes along, as it would.")
@click.option(
    "--max-first-ms", type=click.FloatRange(0), default=500.0, show_default=True, help="Most to the first words."
)
@click.option("--max-thesis-ms", type=click.FloatRange(0), help="Most to the end of the first thesis.")
@click.option("--max-whole-ms", type=click.FloatRange(0), help="Most to the end of the answer.")
@click.option("--max-tokens", type=click.IntRange(1), default=200, show_default=True, help="Longest answer.")
@click.option("--max-cost", type=click.FloatRange(0), metavar="USD", help="Dearest answer.")
@click.option("--write", is_flag=True, help="Write the one that is picked to the file of settings.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    models: tuple[str, ...],
    runs: int,
    asked: tuple[str, ...],
    max_first_ms: float,
    max_thesis_ms: float | None,
    max_whole_ms: float | None,
    max_tokens: int,
    max_cost: float | None,
    write: bool,
    as_json: bool,
) -> None:
    """Measure models one against the other, and pick the fastest that keeps to what it is asked for.

    Without names: the services in llm.backend. Limits hold for the median of the runs; at most one in ten may fail,
    answer in another language, say too much, or make a thesis that takes more than 4 s to hear. Every answer is paid
    for: the table says what they cost, and the budget holds. Ctrl-C ends it with what was measured.
    """
    from sottovoce.app.models_bench import Limits, fastest
    from sottovoce.app.money import nano_usd

    end_on_terminate()
    app = context.ensure_object(AppContext)
    limits = Limits(
        max_first_ms, max_thesis_ms, max_whole_ms, max_tokens, None if max_cost is None else nano_usd(max_cost)
    )
    candidates = _candidates(app.config, models)
    with _purse(app) as purse:
        measured, interrupted = _measure(app, candidates, _questions(app.config, asked), runs, purse)
        spent = purse.spent
    best = fastest(measured, limits)
    if as_json:
        app.print_json(_as_json(measured, limits, best, spent, interrupted=interrupted))
    else:
        _show(app, measured, limits, best, spent)
    if interrupted:
        raise KeyboardInterrupt
    if not any(figures.answers for figures in measured):
        context.exit(ExitCode.BACKEND)
    if write:
        _write(app, best)


def _candidates(config: Config, names: Sequence[str]) -> list[Candidate]:
    from sottovoce.app.models_bench import Candidate
    from sottovoce.app.opening import settings_of
    from sottovoce.app.settings import backend_list
    from sottovoce.speech.registry import backend_names, describe

    services = [name for name in backend_names("llm") if describe("llm", name).sends]
    found: list[Candidate] = []
    for name in names:
        provider, _, model = name.partition(":")
        if provider not in services or not model:
            raise ConfigError(
                f"{name!r} is no model of a service; there are: {', '.join(f'{name}:MODEL' for name in services)}",
                key="PROVIDER:MODEL",
                hint=_NAMES_HINT,
            )
        found.append(Candidate(provider, model))
    if not names:
        configured = [name for name in backend_list(config.llm.backend) if name in services]
        found = [Candidate(name, str(settings_of(config, "llm", name)["model"])) for name in configured]
    if not found:
        raise ConfigError(f"llm.backend = {config.llm.backend!r} names no service", key="llm.backend", hint=_NAMES_HINT)
    return list(dict.fromkeys(found))


def _questions(config: Config, asked: Sequence[str]) -> list[Question]:
    from sottovoce.app.models_bench import QUESTIONS
    from sottovoce.speech.llm.base import Question

    language = config.asr.language if config.llm.language == "auto" else config.llm.language
    texts = asked or QUESTIONS.get(language, QUESTIONS["en"])
    return [Question(text, language, config.llm.max_theses, whole=True) for text in texts]


@contextmanager
def _purse(app: AppContext) -> Iterator[Purse]:
    """Pays for the answers: they are noted in the store, outside of any session, and the budget of the day holds."""
    from sottovoce.app.ledger import Ledger
    from sottovoce.app.prices import read_prices
    from sottovoce.app.purse import Purse
    from sottovoce.app.sessions import SETTLE_S, limits_of
    from sottovoce.session.store import SessionStore

    prices, limits, settings = read_prices(), limits_of(app.config), app.config.session
    if not settings.store:
        yield Purse(prices, limits)
        return
    with SessionStore(settings.path, transcripts=settings.transcripts) as store:
        purse = Purse(prices, limits, Ledger(store, None))
        try:
            yield purse
        finally:
            purse.settle(SETTLE_S)


def _measure(
    app: AppContext, candidates: Sequence[Candidate], questions: Sequence[Question], runs: int, purse: Purse
) -> tuple[list[Figures], bool]:
    """The figures of every candidate, and whether it was interrupted."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from sottovoce.app.models_bench import Figures, Run, measure
    from sottovoce.core.clock import MonotonicClock

    measured = {candidate: Figures(candidate, questions[0].max_theses) for candidate in candidates}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with ExitStack() as stack:
        generators = []
        for candidate, generator in _opened(app, candidates, stack):
            try:
                generator.warm()
                generators.append((candidate, generator))
            except BackendError as error:  # the others are measured all the same
                measured[candidate].runs.append(Run(error=error.message))
        shown = app.err.is_terminal
        progress = stack.enter_context(Progress(*columns, console=app.err, transient=True, disable=not shown))
        task = progress.add_task("asking", total=runs * len(generators))
        try:
            answers = measure(generators, questions, runs, purse.for_anything(), purse.price, MonotonicClock())
            for candidate, run in answers if generators else ():
                measured[candidate].runs.append(run)
                progress.update(task, advance=1, description=str(candidate))
        except KeyboardInterrupt:
            return list(measured.values()), True
    return list(measured.values()), False


def _opened(
    app: AppContext, candidates: Sequence[Candidate], stack: ExitStack
) -> Iterator[tuple[Candidate, Generator]]:
    from sottovoce.app.opening import settings_of
    from sottovoce.speech.registry import open_generator

    index = _index(app.config, stack)
    for candidate in candidates:
        settings = settings_of(app.config, "llm", candidate.provider, index)
        generator = open_generator(candidate.provider, **{**settings, "model": candidate.model})
        yield candidate, stack.enter_context(closing(generator))


def _index(config: Config, stack: ExitStack) -> NotesIndex | None:
    from sottovoce.speech.notes.index import NotesIndex
    from sottovoce.speech.notes.reader import read_notes

    path = config.notes.path
    return None if path is None else stack.enter_context(closing(NotesIndex(read_notes(path))))


def _show(app: AppContext, measured: Sequence[Figures], limits: Limits, best: Figures | None, spent: Cost) -> None:
    from rich.text import Text

    from sottovoce.app.money import shown_cost

    app.console.print(_table(measured, limits, best))
    for figures in measured:
        for error in dict.fromkeys(figures.failures):
            count = figures.failures.count(error)
            app.console.print(Text(f"{figures.candidate}: {count} x {error}", "red"), soft_wrap=True)
    app.console.print(f"\nall answers together: {shown_cost(spent) or 'nothing'}", style="dim")
    if best is not None:
        app.console.print(Text.assemble("the fastest within the limits: ", (str(best.candidate), "bold green")))
    else:
        app.console.print("none is within the limits", style="bold yellow")


def _table(measured: Sequence[Figures], limits: Limits, best: Figures | None) -> Table:
    from rich import box
    from rich.table import Table

    from sottovoce.app.money import shown

    title = "Milliseconds from the question, median and 95th percentile"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("model", overflow="fold")
    for name in ("answers", "first words", "first thesis", "whole", "tokens", "an answer costs"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for figures in measured:
        cost = figures.nano_usd
        table.add_row(
            str(figures.candidate),
            f"{len(figures.answers)}/{len(figures.runs)}",
            _cell(figures.first_ms),
            _cell(figures.thesis_ms),
            _cell(figures.whole_ms),
            "" if figures.output_tokens.p50 is None else f"{figures.output_tokens.p50:.0f}",
            "unknown" if cost is None and figures.answers else "" if cost is None else shown(cost),
            "picked" if figures is best else limits.broken_by(figures) or "slower",
            style="bold green" if figures is best else "",
        )
    return table


def _cell(spread: Spread) -> str:
    return "" if spread.p50 is None or spread.p95 is None else f"{spread.p50:.0f} / {spread.p95:.0f}"


def _as_json(
    measured: Sequence[Figures], limits: Limits, best: Figures | None, spent: Cost, *, interrupted: bool
) -> dict[str, object]:
    from dataclasses import asdict

    from sottovoce.app.money import NANO, cost_json

    return {
        "interrupted": interrupted,
        "picked": None if best is None else str(best.candidate),
        "cost": cost_json(spent),
        "models": [
            {
                "model": str(figures.candidate),
                "runs": len(figures.runs),
                "answers": len(figures.answers),
                "failures": figures.failures,
                "first_ms": asdict(figures.first_ms),
                "thesis_ms": asdict(figures.thesis_ms),
                "whole_ms": asdict(figures.whole_ms),
                "output_tokens": asdict(figures.output_tokens),
                "other_language": figures.other_language,
                "too_long": figures.too_long,
                "too_many": figures.too_many,
                "usd": None if figures.nano_usd is None else figures.nano_usd / NANO,
                "broken": limits.broken_by(figures),
            }
            for figures in measured
        ],
    }


def _write(app: AppContext, best: Figures | None) -> None:
    """Let the picked model answer first, and the other backends stand behind it as they did."""
    from sottovoce.app.config import shown_path
    from sottovoce.app.settings import backend_list
    from sottovoce.app.toml_edit import with_settings

    if best is None:
        raise ConfigError("nothing is written: no model is within the limits", key="--write", hint="widen the limits")
    provider, model = best.candidate.provider, best.candidate.model
    others = [name for name in backend_list(app.config.llm.backend) if name != provider]
    key = "answer_model" if app.config.llm.style == "answer" else "llm_model"
    changes = {"llm.backend": ", ".join([provider, *others]), f"{provider}.{key}": model}
    file = app.loaded.path
    try:
        text = file.read_text(encoding="utf-8-sig") if file.exists() else ""
        changed = with_settings(text, changes)
        _replace(file, changed)
    except OSError as error:
        raise ConfigError(f"{shown_path(file)} cannot be written: {error.strerror}", key="--write") from error
    except ValueError as error:
        said = " and ".join(f'{name} = "{value}"' for name, value in changes.items())
        raise ConfigError(f"{shown_path(file)}: {error}", key="--write", hint=f"set {said} in it") from error
    said = ", ".join(f'{name} = "{value}"' for name, value in changes.items())
    app.err.print(f"wrote {shown_path(file)}: {said}", markup=False, soft_wrap=True)
    for name in changes:
        origin = app.loaded.provenance[name]
        if origin.layer in ("environment", "option"):
            app.err.print(f"{name} is set by {origin}, which is stronger", style="yellow", soft_wrap=True)


def _replace(file: Path, text: str) -> None:
    """Write the whole file or none of it, with the permissions that it had."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(text, encoding="utf-8", newline="\n")
    if file.exists():
        fresh.chmod(file.stat().st_mode & 0o777)
    fresh.replace(file)
