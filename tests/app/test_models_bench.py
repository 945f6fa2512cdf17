"""`sottovoce models bench`: what is measured, what is picked and why not, and what becomes of it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sottovoce.app import models_bench
from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.model_checks import in_language, short
from sottovoce.app.models_bench import Candidate, Figures, Limits, Run, Spread, fastest
from sottovoce.session.store import SessionStore
from tests.app.conftest import Result
from tests.emulator import Does, Emulator

pytest.importorskip("openai", reason='install the extra: pip install -e ".[openai]"')
pytest.importorskip("google.genai", reason='install the extra: pip install -e ".[google]"')

Cli = Callable[..., Result]

ENGLISH = ("First we talk to the client", "Then we move what is not urgent")
RUSSIAN = ("Сначала поговорим с заказчиком", "Потом отложим то, что не срочно")
PATIENT = ("--max-first-ms", "60000", "--set", "llm.first_token_s=60", "--set", "llm.stall_s=60")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(otherwise=ENGLISH) as started:
        yield started


@pytest.fixture
def bench(cli: Cli, emulator: Emulator, tmp_path: Path) -> Callable[..., Result]:
    settings = {
        "openai.base_url": emulator.openai_url,
        "gemini.base_url": emulator.url,
        "session.path": tmp_path / "sessions.db",
        "llm.backend": "gemini, openai, notes",
    }
    shared = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]

    def run(*arguments: object) -> Result:
        return cli("models", "bench", *PATIENT, *shared, *arguments)

    return run


def figures(model: str, *runs: Run, max_theses: int = 4) -> Figures:
    return Figures(Candidate("openai", model), max_theses, list(runs))


def answer(thesis_ms: float = 300.0, **changed: object) -> Run:
    facts = {"first_ms": thesis_ms - 100, "thesis_ms": thesis_ms, "whole_ms": thesis_ms + 100, "theses": 2}
    return Run(**{**facts, "output_tokens": 20, "nano_usd": 1000, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("texts", "language", "right"),
    [
        (ENGLISH, "en", True),
        (RUSSIAN, "ru", True),
        (RUSSIAN, "en", False),
        (ENGLISH, "ru", False),
        (ENGLISH, "de", False),
        (("Wir reden zuerst mit dem Kunden", "Dann wird verschoben, was nicht eilt"), "de", True),
        (("Kubernetes, Kafka, ClickHouse",), "en", True),
        (("Перенесём Kafka и ClickHouse на новый кластер",), "ru", True),
        (("Спочатку поговоримо із замовником", "Потім відкладемо те, що не є терміновим"), "ru", False),
        ((), "en", True),
        (ENGLISH, "zh", False),
    ],
)
def test_language_of_an_answer_is_known(texts: tuple[str, ...], language: str, right: bool) -> None:
    assert in_language(texts, language) is right


def test_thesis_is_short_if_it_is_heard_in_four_seconds() -> None:
    assert short("First we talk to the client")
    assert not short("word " * 25)
    assert not short("Высококвалифицированный " * 5)


def test_percentile_is_one_of_the_values_and_nothing_has_none() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 3.0)
    assert Spread.of([float(number) for number in range(1, 21)]) == Spread(10.5, 19.0)
    assert Spread.of([]) == Spread(None, None)


def test_fastest_is_the_one_whose_first_thesis_comes_soonest_within_the_limits() -> None:
    slow, quick, dear = (
        figures("slow", answer(500)),
        figures("quick", answer(300)),
        figures("dear", answer(200, nano_usd=9999)),
    )
    assert fastest([slow, quick, dear], Limits(nano_usd=5000)) is quick
    assert fastest([slow, quick, dear], Limits()) is dear
    assert fastest([slow], Limits(thesis_ms=400)) is None


@pytest.mark.parametrize(
    ("runs", "limits", "why"),
    [
        ([answer()], Limits(first_ms=200, thesis_ms=300, whole_ms=400, tokens=20, nano_usd=1000), ""),
        ([answer()], Limits(first_ms=199), "first words 200 > 199 ms"),
        ([answer()], Limits(thesis_ms=299), "first thesis 300 > 299 ms"),
        ([answer()], Limits(whole_ms=399), "whole answer 400 > 399 ms"),
        ([answer()], Limits(tokens=19), "answer 20 > 19 tokens"),
        ([answer()], Limits(nano_usd=999), "too dear"),
        ([answer(nano_usd=None)], Limits(nano_usd=999), "price unknown"),
        ([answer(language=False)], Limits(), "1 of 1 in another language"),
        ([answer(short=False)], Limits(), "1 of 1 too long to hear"),
        ([answer(theses=5)], Limits(), "1 of 1 with too many theses"),
        ([answer(), Run(error="503")], Limits(), "1 of 2 failed"),
        ([answer()] * 9 + [Run(error="503")], Limits(), ""),
        ([Run(error="503")], Limits(), "no answer"),
        ([], Limits(), "no answer"),
    ],
)
def test_what_breaks_a_limit_is_told(runs: list[Run], limits: Limits, why: str) -> None:
    assert limits.broken_by(figures("m", *runs)) == why


def test_configured_models_are_measured_in_turns_and_paid_for(
    bench: Callable[..., Result], emulator: Emulator, tmp_path: Path
) -> None:
    result = bench("--runs", 3, "--json")
    assert result.code == 0, result.err
    models = {model["model"]: model for model in result.json["models"]}
    assert set(models) == {"gemini:gemini-flash-lite-latest", "openai:gpt-4o-mini"}
    for model in models.values():
        assert (model["runs"], model["answers"], model["too_many"], model["other_language"]) == (3, 3, 0, 0)
        assert 0 < model["first_ms"]["p50"] <= model["thesis_ms"]["p50"] <= model["whole_ms"]["p95"]
    asked = [request.route for request in emulator.requests if request.route != "model"]
    assert asked == ["gemini", "chat", "chat", "gemini", "gemini", "chat"]
    with SessionStore(tmp_path / "sessions.db") as store:
        assert sum(row.cost.calls for row in store.costs()) == 6
        assert store.sessions() == ()


def test_table_shows_figures_failures_and_the_verdict(bench: Callable[..., Result], emulator: Emulator) -> None:
    emulator.script("gemini", Does(status=503), Does(status=503))
    result = bench("--runs", 2)
    assert result.code == 0, result.err
    assert "openai:gpt-4o-mini" in result.out
    assert "2/2" in result.out
    assert "0/2" in result.out
    assert "no answer" in result.out
    assert "2 x gemini at 127.0.0.1" in result.out
    assert "all answers together: price unknown" in result.out
    assert "the fastest within the limits: openai:gpt-4o-mini" in result.out


def test_models_may_be_named_and_answers_in_another_language_are_not_picked(
    bench: Callable[..., Result], emulator: Emulator
) -> None:
    result = bench("openai:good", "openai:good", "--runs", 1, "--language", "ru", "--json")
    assert [model["model"] for model in result.json["models"]] == ["openai:good"]
    assert result.json["models"][0]["other_language"] == 1
    assert result.json["picked"] is None
    emulator.otherwise = RUSSIAN
    assert bench("openai:good", "--runs", 1, "--language", "ru", "--json").json["picked"] == "openai:good"


def test_theses_beyond_those_wanted_are_seen(bench: Callable[..., Result], emulator: Emulator) -> None:
    emulator.otherwise = tuple(f"this is point {number} of the answer" for number in range(7))
    model = bench("openai:m", "--runs", 1, "--json").json["models"][0]
    assert (model["too_many"], model["broken"]) == (1, "1 of 1 with too many theses")


def test_picked_model_is_written_and_the_others_stand_behind_it(
    bench: Callable[..., Result], cli: Cli, emulator: Emulator, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('# mine\n[llm]\nbackend = "gemini, openai, notes"  # so far\n', encoding="utf-8")
    emulator.script("gemini", Does(status=503))
    settings = ("--set", f"openai.base_url={emulator.openai_url}", "--set", f"gemini.base_url={emulator.url}")
    names = ("gemini:g", "openai:o", "--runs", 1, "--write", *PATIENT, "--set", "session.store=false")
    result = cli("--config", file, "models", "bench", *settings, *names)
    assert result.code == 0, result.err
    written = file.read_text(encoding="utf-8")
    assert tomllib.loads(written) == {"llm": {"backend": "openai, gemini, notes"}, "openai": {"llm_model": "o"}}
    assert written.startswith("# mine\n")


def test_nothing_is_written_where_nothing_is_picked(bench: Callable[..., Result]) -> None:
    result = bench("openai:m", "--runs", 1, "--max-tokens", 1, "--write")
    assert result.code == ExitCode.USAGE
    assert "no model is within the limits" in result.err


def test_ctrl_c_ends_it_with_what_was_measured(bench: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    measure = models_bench.measure

    def interrupted(*arguments: object) -> Iterator[tuple[Candidate, Run]]:
        runs = measure(*arguments)  # type: ignore[arg-type]
        yield next(runs)
        raise KeyboardInterrupt

    monkeypatch.setattr(models_bench, "measure", interrupted)
    result = bench("--runs", 5, "--json", "--write")
    assert result.code == ExitCode.INTERRUPTED
    assert result.json["interrupted"]
    assert [model["runs"] for model in result.json["models"]] == [1, 0]
    assert "wrote" not in result.err


@pytest.mark.parametrize("name", ["notes:m", "openai", "openai:", "nobody:m"])
def test_name_of_no_model_is_refused(bench: Callable[..., Result], name: str) -> None:
    result = bench(name)
    assert result.code == ExitCode.USAGE
    assert "gemini:MODEL, openai:MODEL" in result.err


def test_chain_without_a_service_has_nothing_to_measure(bench: Callable[..., Result]) -> None:
    result = bench("--set", "llm.backend=notes")
    assert result.code == ExitCode.USAGE
    assert "names no service" in result.err


def test_budget_of_the_day_holds_for_measuring_too(
    bench: Callable[..., Result], emulator: Emulator, home: Path
) -> None:
    folder = home / "config" / "sottovoce"
    folder.mkdir(parents=True)
    line = '{ provider = "127.0.0.1", model = "*", input = 1000, output = 1000 }'
    (folder / "prices.toml").write_text(f"prices = [{line}]", encoding="utf-8")
    result = bench("openai:m", "--runs", 3, "--json", "--set", "budget.day_stop_usd=0.01")
    model = result.json["models"][0]
    assert (model["answers"], len(emulator.made("chat"))) == (1, 1)
    assert model["failures"] == ["the budget of this day, $0.01, is spent"] * 2
    assert result.json["cost"]["usd"] > 0.01
