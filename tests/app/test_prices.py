"""What a call costs by the table, and whose table counts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sottovoce.app.money import nano_usd, shown, shown_limit
from sottovoce.app.prices import OWN_TABLE, PriceTable, read_prices
from sottovoce.core.errors import ConfigError
from sottovoce.speech.usage import Usage

CHAT = Usage("llm", "openai", "gpt-4o-mini", input_tokens=1000, cached_tokens=400, output_tokens=100)


@pytest.fixture
def table(tmp_path: Path) -> PriceTable:
    return read_prices(tmp_path / "none.toml")


def own(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "prices.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_every_line_of_the_table_has_a_day_and_a_source(table: PriceTable) -> None:
    assert table.prices
    for price in table.prices:
        assert price.date is not None
        assert date(2025, 1, 1) < price.date
        assert price.source.startswith("https://"), price
    assert OWN_TABLE.name == "prices.toml"


def test_cached_tokens_have_a_price_of_their_own(table: PriceTable) -> None:
    cost = table.cost(CHAT)
    assert cost.nano_usd == 600 * 150 + 400 * 75 + 100 * 600
    assert not cost.estimated


def test_model_of_a_version_costs_what_the_model_does(table: PriceTable) -> None:
    version = Usage("llm", "openai", "gpt-4o-mini-2024-07-18", input_tokens=1000, cached_tokens=400, output_tokens=100)
    assert table.cost(version) == table.cost(CHAT)


@pytest.mark.parametrize(
    "usage",
    [
        Usage("llm", "openai", "gpt-99", input_tokens=1000, output_tokens=10),
        Usage("llm", "localhost", "gpt-4o-mini", input_tokens=1000, output_tokens=10),
        Usage("llm", "openai", "tts-1", input_tokens=1000),
    ],
)
def test_unknown_price_is_unknown_and_not_nothing(table: PriceTable, usage: Usage) -> None:
    assert table.cost(usage).nano_usd is None


def test_sound_is_priced_by_its_tokens_or_else_by_the_minute_as_an_estimate(table: PriceTable) -> None:
    told = Usage(
        "asr", "openai", "gpt-4o-mini-transcribe", input_tokens=100, audio_tokens=100, output_tokens=10, audio_s=60
    )
    assert table.cost(told).nano_usd == 100 * 1250 + 10 * 5000
    counted = table.cost(Usage("asr", "openai", "gpt-4o-mini-transcribe", audio_s=60.0))
    assert (counted.nano_usd, counted.estimated) == (nano_usd(0.003), True)
    whisper = table.cost(Usage("asr", "openai", "whisper-1", audio_s=30.0))
    assert (whisper.nano_usd, whisper.estimated) == (nano_usd(0.003), False)


def test_voices_are_priced_by_characters_and_by_their_class(table: PriceTable) -> None:
    assert table.cost(Usage("tts", "openai", "tts-1", characters=1000)).nano_usd == nano_usd(0.015)
    assert table.cost(Usage("tts", "google", "en-US-Wavenet-D", characters=1000)).nano_usd == nano_usd(0.004)
    assert table.cost(Usage("tts", "google", "ru-RU-Chirp3-HD-Kore", characters=1000)).nano_usd == nano_usd(0.03)


def test_lines_of_ones_own_are_stronger_and_may_be_patterns(tmp_path: Path) -> None:
    lines = """
    prices = [
      { provider = "openai", model = "gpt-4o-mini", input = 1, output = 2 },
      { provider = "localhost", model = "*", input = 0, output = 0 },
      { provider = "localhost", model = "big-*", input = 3, output = 3.5 },
    ]"""
    table = read_prices(own(tmp_path, lines))
    assert table.cost(CHAT).nano_usd == 1000 * 1000 + 100 * 2000
    assert table.cost(Usage("llm", "localhost", "llama", input_tokens=5, output_tokens=5)).nano_usd == 0
    assert table.cost(Usage("llm", "localhost", "big-llama", input_tokens=0, output_tokens=2)).nano_usd == 7000
    assert table.cost(Usage("asr", "openai", "whisper-1", audio_s=60.0)).nano_usd == nano_usd(0.006)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prices = 3", "no table of prices"),
        ("", "no table of prices"),
        ("prices = [", "cannot be read"),
        ('prices = [{ provider = "openai", model = "m" }]', "says no price"),
        ('prices = [{ provider = "openai", input = 1 }]', "needs a model"),
        ('prices = [{ provider = "openai", model = "m", input = -1 }]', "input = -1 is not allowed"),
        ('prices = [{ provider = "openai", model = "m", input = nan }]', "not allowed"),
        ('prices = [{ provider = "openai", model = "m", input = "1" }]', "not allowed"),
        ('prices = [{ provider = "openai", model = "m", inputs = 1 }]', "there is no inputs; allowed: provider, model"),
        ('prices = [{ provider = "openai", model = "m", input = 1, date = "today" }]', "date is a day"),
        ("prices = [3]", "is no line of a table"),
    ],
)
def test_table_that_is_none_is_refused_with_the_line_and_what_is_allowed(tmp_path: Path, text: str, words: str) -> None:
    file = own(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_prices(file)
    assert words in caught.value.message
    assert str(file) in caught.value.message
    assert "sottovoce costs --prices" in caught.value.hint


@pytest.mark.parametrize(
    ("nano", "text"), [(0, "$0.0000"), (1, "<$0.0001"), (nano_usd(0.00042), "$0.0004"), (nano_usd(12.345), "$12.35")]
)
def test_amounts_are_shown_as_people_read_them(nano: int, text: str) -> None:
    assert shown(nano) == text


@pytest.mark.parametrize(("usd", "text"), [(0.5, "$0.50"), (2, "$2"), (0.005, "$0.005"), (10.25, "$10.25")])
def test_limits_are_shown_as_they_were_set(usd: float, text: str) -> None:
    assert shown_limit(nano_usd(usd)) == text
