"""Amounts of money: whole billionths of a US dollar, so that sums of the smallest are exact, and how they are shown."""

from __future__ import annotations

from decimal import Decimal

from sottovoce.session.spending import Cost

#: Billionths in a dollar.
NANO = 1_000_000_000


def nano_usd(usd: float | Decimal) -> int:
    """Dollars as billionths."""
    return int((Decimal(str(usd)) * NANO).to_integral_value())


def shown(nano: int) -> str:
    """An amount as people read it: two decimals of dollars, four of cents, and what is less than that as such."""
    usd = nano / NANO
    if nano and usd < 0.0001:
        return "<$0.0001"
    return f"${usd:.2f}" if usd >= 10 else f"${usd:.4f}"


def shown_limit(nano: int) -> str:
    """A limit as it was set, without needless zeros: "$0.50", "$0.005", "$2"."""
    text = f"{Decimal(nano) / NANO:.9f}".rstrip("0")
    whole, _, part = text.partition(".")
    return f"${whole}.{part.ljust(2, '0')}" if part else f"${whole}"


def shown_cost(cost: Cost) -> str:
    """What calls cost, and what is not certain about it; empty if there were none."""
    if not cost.calls:
        return ""
    if cost.unpriced == cost.calls:
        return "price unknown"
    about = "~" if cost.estimated else ""
    calls = "1 call" if cost.unpriced == 1 else f"{cost.unpriced} calls"
    unknown = f" + {calls} of unknown price" if cost.unpriced else ""
    return f"{about}{shown(cost.nano_usd)}{unknown}"


def shown_waste(cost: Cost) -> str:
    """What of it was spent in vain; empty if nothing was."""
    if not cost.wasted_calls:
        return ""
    calls = "1 call" if cost.wasted_calls == 1 else f"{cost.wasted_calls} calls"
    return f"{shown(cost.wasted_nano_usd)} of it in vain, {calls} for questions that went on"


def cost_json(cost: Cost) -> dict[str, object]:
    """The same for a program: amounts in dollars, ``usd`` null if no price is known."""
    return {
        "usd": None if cost.calls and cost.unpriced == cost.calls else cost.nano_usd / NANO,
        "calls": cost.calls,
        "unpriced_calls": cost.unpriced,
        "estimated_calls": cost.estimated,
        "wasted_calls": cost.wasted_calls,
        "wasted_usd": cost.wasted_nano_usd / NANO,
    }
