"""Orders, refunds and payments as of a day: which count, what they are worth, whose they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .rules import Rules
from .values import amount_in_minor_units, as_text, read_json


def money_rows(events: pd.DataFrame, names: frozenset[str], rules: Rules) -> pd.DataFrame:
    """The rows of a role that moves money.

    Columns: person, day, seq, key (person and order id; the row itself without one), priced (an amount was sent),
    amount (minor units, 0 unpriced), coupon, targeted.
    """
    rows = events[events["event"].isin(names)]
    told = [read_json(text) for text in rows["properties"]]
    amounts = [amount_in_minor_units(properties, rules.exponent) for properties in told]
    ids = [as_text(properties.get("order_id")) for properties in told]
    coupons = [as_text(properties.get("coupon_id")) is not None for properties in told]
    kinds = [as_text(properties.get("coupon_kind")) for properties in told]
    frame = rows[["person", "day", "seq"]].copy()
    frame["key"] = pd.Series(
        [f"{p}/{i}" if i is not None else f"#{s}" for p, i, s in zip(rows["person"], ids, rows["seq"], strict=True)],
        rows.index,
        dtype=object,
    )
    frame["priced"] = np.array([a is not None for a in amounts], dtype=bool)
    frame["amount"] = np.array([a or 0 for a in amounts], dtype=np.int64)
    frame["coupon"] = np.array(coupons, dtype=bool)
    frame["targeted"] = np.array(
        [k == "targeted" if k is not None else c for k, c in zip(kinds, coupons, strict=True)], dtype=bool
    )
    return frame


@dataclass(frozen=True)
class Books:
    """What counts as of a day. `orders`: person, day, amount, coupon, targeted. `refunds`: person, day, amount."""

    orders: pd.DataFrame
    refunds: pd.DataFrame


def books_on(rows: pd.DataFrame, refund_rows: pd.DataFrame, day: int) -> Books:
    """Fold the rows up to a day into orders and refunds; an order refunded to its amount is in neither."""
    orders = _current_versions(rows[rows["day"] <= day])
    refunds = refund_rows[refund_rows["day"] <= day]
    # A refund without an amount gives back the whole order, or nothing when no such order is known.
    whole = refunds["key"].map(orders["amount"]).fillna(0).astype(np.int64)
    refunds = refunds.assign(amount=refunds["amount"].where(refunds["priced"], whole).abs())
    taken = refunds.groupby("key")["amount"].sum().reindex(orders.index)
    void = taken.notna() & (taken.fillna(0) >= orders["amount"])
    gone = orders.index[void]
    return Books(
        orders[~void][["person", "day", "amount", "coupon", "targeted"]],
        refunds[~refunds["key"].isin(gone)][["person", "day", "amount"]],
    )


def _current_versions(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per order key: the last priced row (else the last), dated by the first row's day."""
    first_day = rows.groupby("key")["day"].min()
    last = rows.sort_values(["priced", "seq"]).drop_duplicates("key", keep="last").set_index("key")
    return last.assign(day=first_day)


def paid_on(pay_rows: pd.DataFrame, refund_rows: pd.DataFrame, day: int, size: int) -> np.ndarray:
    """Who has, as of a day, a payment whose amount less its refunds is above zero: bool per person."""
    payments = _current_versions(pay_rows[pay_rows["day"] <= day])
    refunds = refund_rows[refund_rows["day"] <= day]
    whole = refunds["key"].map(payments["amount"]).fillna(0).astype(np.int64)
    taken = refunds["amount"].where(refunds["priced"], whole).abs().groupby(refunds["key"]).sum()
    net = payments["amount"] - taken.reindex(payments.index).fillna(0)
    paying = np.zeros(size, dtype=bool)
    paying[payments["person"][net > 0].to_numpy()] = True
    return paying


def per_person(frame: pd.DataFrame, size: int, column: str | None = None) -> np.ndarray:
    """Rows per person, or the sum of an integer column per person, as int64 of length `size`."""
    if column is None:
        return np.bincount(frame["person"], minlength=size).astype(np.int64)
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, frame["person"].to_numpy(), frame[column].to_numpy(dtype=np.int64))
    return total


def in_window(frame: pd.DataFrame, day: int, days: int | None) -> pd.DataFrame:
    """The rows on day − days + 1 … day; all up to the day when `days` is None."""
    until = frame["day"] <= day
    return frame[until] if days is None else frame[until & (frame["day"] > day - days)]


def subsidy_dependent(orders: pd.DataFrame, rules: Rules, day: int, size: int) -> np.ndarray:
    """Who has enough orders in the window, and enough of them with a targeted coupon: bool per person."""
    recent = in_window(orders, day, rules.subsidy_days)
    count, targeted = per_person(recent, size), per_person(recent[recent["targeted"]], size)
    share = rules.subsidy_share
    return (count >= rules.subsidy_orders) & (targeted * share.denominator >= count * share.numerator)


def order_facts(books: Books, day: int, size: int) -> dict[str, np.ndarray]:
    """All-time facts of the orders that count. Days are -1 and shares NaN for people without an order."""
    orders = books.orders
    count = per_person(orders, size)
    revenue = per_person(orders, size, "amount") - per_person(books.refunds, size, "amount")
    first = np.full(size, -1, dtype=np.int64)
    last = np.full(size, -1, dtype=np.int64)
    days = orders.groupby("person")["day"].agg(["min", "max"])
    first[days.index], last[days.index] = days["min"], days["max"]
    some = np.maximum(count, 1)
    # A half of a minor unit is rounded away from zero, like every amount.
    average = np.sign(revenue) * ((2 * np.abs(revenue) + some) // (2 * some))
    coupons = per_person(orders[orders["coupon"]], size)
    return {
        "orders": count,
        "revenue_minor": revenue,
        "first_order_on": first,
        "last_order_on": last,
        "average_order_minor": average,
        "coupon_share": np.where(count > 0, coupons / some, np.nan),
    }
