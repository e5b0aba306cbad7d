"""A workspace's settings, read once into exact numbers (shares become fractions, money has an exponent)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

CURRENCIES_WITHOUT_CENTS = frozenset(
    (
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    )
)
CURRENCIES_WITH_MILS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
CHURN_RULES = ("personal", "fixed", "with_balance")


def currency_exponent(currency: str) -> int:
    """How many decimal places the minor unit of an ISO 4217 currency has: CNY 2, JPY 0, KWD 3."""
    if currency in CURRENCIES_WITHOUT_CENTS:
        return 0
    return 3 if currency in CURRENCIES_WITH_MILS else 2


@dataclass(frozen=True)
class Rules:
    """Every setting that changes a number. Lengths are whole days, shares are exact fractions."""

    zone: str
    exponent: int
    roles: Mapping[str, frozenset[str]]
    habit_days: int
    habit_window: int
    churn_rule: str
    limit_default: int
    limit_min: int
    limit_max: int
    slipping_share: Fraction
    balance_attribute: str
    balance_floor: Decimal
    rfm_window: int | None
    rfm_axes: tuple[str, str, str]
    pay_stage: bool
    recommendation_days: int
    subsidy_orders: int
    subsidy_share: Fraction
    subsidy_days: int
    registered_event: str


def read_rules(settings: Mapping[str, Any]) -> Rules:
    """Turn the plain settings dict into `Rules`. Raises ValueError on an unknown churn rule, KeyError on a gap."""
    churn, subsidy = settings["churn"], settings.get("subsidy") or {}
    if churn["rule"] not in CHURN_RULES:
        raise ValueError(f"churn rule {churn['rule']!r} is none of {CHURN_RULES}")
    named = ("core", "habit", "order", "refund", "pay", "passive")
    window = settings.get("rfm_window", 365)
    return Rules(
        zone=settings["zone"],
        exponent=currency_exponent(settings["currency"]),
        roles={role: frozenset(settings["roles"].get(role) or ()) for role in named},
        habit_days=int(settings["habit_days"]),
        habit_window=int(settings["habit_window"]),
        churn_rule=churn["rule"],
        limit_default=int(churn["n"]),
        limit_min=int(churn["min"]),
        limit_max=int(churn["max"]),
        # Through text, so that 0.6 is six tenths and not the float beside it.
        slipping_share=Fraction(str(churn.get("slipping_share", "0.6"))),
        balance_attribute=churn.get("balance_attribute", "balance"),
        balance_floor=Decimal(str(churn.get("balance_floor", 0))),
        rfm_window=None if window in (None, "all") else int(window),
        rfm_axes=tuple(settings.get("rfm_axes") or ("last_order_on", "window_orders", "window_revenue_minor")),
        pay_stage=bool(settings.get("pay_stage", False)),
        recommendation_days=int(settings.get("recommendation_days", 365)),
        subsidy_orders=int(subsidy.get("orders", 4)),
        subsidy_share=Fraction(str(subsidy.get("share", "0.8"))),
        subsidy_days=int(subsidy.get("days", 365)),
        registered_event=settings.get("registered_event", "Account Registered"),
    )
