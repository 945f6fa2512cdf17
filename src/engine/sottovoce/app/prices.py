"""What a call costs, by a dated table that its user can change."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import platformdirs

from sottovoce.app.money import NANO
from sottovoce.app.settings import APP_NAME
from sottovoce.core.errors import ConfigError
from sottovoce.speech.usage import Usage

#: The table that comes with the package.
OWN_TABLE = Path(__file__).with_name("prices.toml")

#: A version in the name of a model ("gpt-4o-mini-2024-07-18"), priced as the model is.
_VERSION = re.compile(r"-\d{4}-\d{2}-\d{2}$")

_MILLION = 1_000_000
_NAMES = ("provider", "model")
_HINT = "the table that comes with sottovoce shows how a line is written: `sottovoce costs --prices` says where it is"


@dataclass(frozen=True, slots=True)
class Price:
    """What a model takes, in USD; None is what it does not take money for, or nobody has said.

    Attributes
    ----------
    provider, model : str
        As in :class:`Usage`; the model may be a pattern with ``*``.
    input, cached_input, audio_input, output : Decimal or None
        A million tokens of each kind; cached ones are as dear as others if nothing is said of them, and so are those
        of sound.
    characters : Decimal or None
        A million characters spoken.
    minute : Decimal or None
        A minute of sound; where tokens have prices, too, an estimate.
    date : date or None
        When this was so.
    source : str
        Who said so.
    """

    provider: str
    model: str
    input: Decimal | None = None
    cached_input: Decimal | None = None
    audio_input: Decimal | None = None
    output: Decimal | None = None
    characters: Decimal | None = None
    minute: Decimal | None = None
    date: date | None = None
    source: str = ""


_RATES = ("input", "cached_input", "audio_input", "output", "characters", "minute")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call costs (billionths of a dollar; None is unknown), and whether that is an estimate."""

    nano_usd: int | None
    estimated: bool


class PriceTable:
    """Prices by provider and model; of two that fit, the later given, and a name before a pattern."""

    def __init__(self, prices: Iterable[Price]) -> None:
        self._prices = {(price.provider, price.model): price for price in prices}

    @property
    def prices(self) -> tuple[Price, ...]:
        """All of them, by provider and model."""
        return tuple(sorted(self._prices.values(), key=lambda price: (price.provider, price.model)))

    def find(self, provider: str, model: str) -> Price | None:
        """The price of a model; None if there is none."""
        model = model.removeprefix("models/")
        for name in (model, _VERSION.sub("", model)):
            if (provider, name) in self._prices:
                return self._prices[provider, name]
        patterns = [price for (who, name), price in self._prices.items() if who == provider and "*" in name]
        fitting = [price for price in patterns if fnmatchcase(model, price.model)]
        return max(fitting, key=lambda price: len(price.model), default=None)

    def cost(self, usage: Usage) -> Cost:
        """What a call costs; unknown if its model has no price, or none for what it has used up."""
        price = self.find(usage.provider, usage.model)
        if price is None:
            return Cost(None, usage.estimated)
        by_tokens = price.input is not None or price.output is not None
        if by_tokens and (usage.input_tokens or usage.output_tokens):
            return Cost(_nano(_of_tokens(price, usage)), usage.estimated)
        if usage.characters and price.characters is not None:
            return Cost(_nano(usage.characters * price.characters / _MILLION), False)
        if usage.audio_s and price.minute is not None:
            return Cost(_nano(Decimal(str(usage.audio_s)) * price.minute / 60), by_tokens)
        used = usage.input_tokens or usage.output_tokens or usage.characters or usage.audio_s
        return Cost(None if used else 0, usage.estimated)


def read_prices(own: Path | None = None) -> PriceTable:
    """The table that comes with the package, with the lines of the user's own file over it.

    Raises
    ------
    ConfigError
        The user's file is not a table of prices.
    """
    path = own_prices_path() if own is None else own
    return PriceTable([*_read(OWN_TABLE), *(_read(path) if path.exists() else ())])


def own_prices_path() -> Path:
    """Where a user's own prices are looked for."""
    return platformdirs.user_config_path(APP_NAME, appauthor=False) / "prices.toml"


def _of_tokens(price: Price, usage: Usage) -> Decimal | None:
    cached = usage.input_tokens and min(usage.cached_tokens, usage.input_tokens)
    audio = min(usage.audio_tokens, usage.input_tokens - cached)
    counts = (
        (usage.input_tokens - cached - audio, price.input),
        (cached, price.cached_input if price.cached_input is not None else price.input),
        (audio, price.audio_input if price.audio_input is not None else price.input),
        (usage.output_tokens, price.output),
    )
    total = Decimal(0)
    for count, rate in counts:
        if count and rate is None:
            return None
        total += count * (rate or 0)
    return total / _MILLION


def _nano(usd: Decimal | None) -> int | None:
    return None if usd is None else int((usd * NANO).to_integral_value())


def _read(path: Path) -> list[Price]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"the prices in {path} cannot be read: {said}", key="prices", hint=_HINT) from None
    lines = table.get("prices")
    if not isinstance(lines, list) or set(table) != {"prices"}:
        raise ConfigError(f"{path} is no table of prices: it needs one list, prices = [...]", key="prices", hint=_HINT)
    return [_price(line, number, path) for number, line in enumerate(lines, 1)]


def _price(line: object, number: int, path: Path) -> Price:
    def wrong(what: str) -> ConfigError:
        return ConfigError(f"price {number} in {path}: {what}", key="prices", hint=_HINT)

    if not isinstance(line, dict):
        raise wrong("is no line of a table, { provider = ..., model = ... }")
    known = {field.name for field in fields(Price)}
    unknown = sorted(set(line) - known)
    if unknown:
        raise wrong(f"there is no {unknown[0]}; allowed: {', '.join(field.name for field in fields(Price))}")
    for name in _NAMES:
        if not isinstance(line.get(name), str) or not line[name]:
            raise wrong(f"needs a {name}")
    values: dict[str, Any] = {name: line[name] for name in _NAMES}
    for name in _RATES:
        if name in line:
            values[name] = _rate(line[name])
            if values[name] is None:
                raise wrong(f"{name} = {line[name]} is not allowed; allowed: USD, 0 or more")
    if not any(name in line for name in _RATES):
        raise wrong(f"says no price; one of {', '.join(_RATES)} is needed")
    if not isinstance(line.get("date", date.min), date) or not isinstance(line.get("source", ""), str):
        raise wrong("date is a day as 2026-10-07, source a text")
    return Price(**values, date=line.get("date"), source=line.get("source", ""))


def _rate(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    rate = Decimal(value)
    return rate if rate.is_finite() and rate >= 0 else None
