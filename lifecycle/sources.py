"""Sources: what their people brought and are expected to bring (LTV), what they cost (CAC), and when that is earned back.

Nights sum up people by source and month (`SourceMonth`), operators enter costs; here the two are put together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from lifecycle.models import SourceCost, SourceMonth
from workspaces.currencies import decimals_of
from workspaces.errors import DomainError
from workspaces.models import Operator, Workspace
from workspaces.scoping import current_workspace
from workspaces.services import audit

LTV_DAYS = (7, 30, 90, 180)
MOST_MINOR = 10**15
MOST_LINES = 2000
MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass
class Figures:
    """Sums over some months of a source. Money in minor units; `aged` and `brought_minor` at place n − 1 are of day n."""

    source: str
    people: int = 0
    effective: int = 0
    buyers: int = 0
    revenue_minor: int = 0
    expected_revenue_minor: int = 0
    aged: list[int] = field(default_factory=lambda: [0] * 365)
    brought_minor: list[int] = field(default_factory=lambda: [0] * 365)
    cost_minor: int | None = None

    def add(self, row: SourceMonth) -> None:
        for name in ("people", "effective", "buyers", "revenue_minor", "expected_revenue_minor"):
            setattr(self, name, getattr(self, name) + getattr(row, name))
        self.aged = [a + b for a, b in zip(self.aged, row.aged, strict=True)]
        self.brought_minor = [a + b for a, b in zip(self.brought_minor, row.brought_minor, strict=True)]

    def pay(self, cost: SourceCost) -> None:
        self.cost_minor = (self.cost_minor or 0) + cost.spend_minor + cost.rewards_minor

    def ltv(self, days: int) -> int | None:
        """What one person brought in their first `days` days, of all who are that old; None when nobody is."""
        return each(self.brought_minor[days - 1], self.aged[days - 1])

    @property
    def to_date_minor(self) -> int | None:
        return each(self.revenue_minor, self.people)

    @property
    def predicted_minor(self) -> int | None:
        """What one person brought and is expected to bring within 52 weeks."""
        return each(self.revenue_minor + self.expected_revenue_minor, self.people)

    @property
    def cac_minor(self) -> int | None:
        return None if self.cost_minor is None else each(self.cost_minor, self.people)

    @property
    def cac_effective_minor(self) -> int | None:
        return None if self.cost_minor is None else each(self.cost_minor, self.effective)

    def payback_days(self, margin_percent: int) -> int | None:
        """The first n up to 365 with LTVn × margin ≥ CAC, exactly; None where none is known to."""
        if self.cost_minor is None or not self.people:
            return None
        for n, (aged, brought) in enumerate(zip(self.aged, self.brought_minor, strict=True), 1):
            if aged and brought * margin_percent * self.people >= self.cost_minor * 100 * aged:
                return n
        return None


@dataclass
class Source:
    """One source: all its months, those that have a cost, and each month, newest first."""

    all: Figures
    paid: Figures
    months: dict[date, Figures]


def list_sources() -> list[Source]:
    """Every source with people or costs, those with most people first."""
    costs: dict[str, dict[date, SourceCost]] = {}
    for cost in SourceCost.objects.all():
        costs.setdefault(cost.source, {})[cost.month] = cost
    rows: dict[str, dict[date, SourceMonth]] = {}
    for row in SourceMonth.objects.all():
        rows.setdefault(row.source, {})[row.month] = row
    found = [_source(name, rows.get(name, {}), costs.get(name, {})) for name in {*rows, *costs}]
    return sorted(found, key=lambda source: (-source.all.people, source.all.source))


def _source(name: str, rows: dict[date, SourceMonth], costs: dict[date, SourceCost]) -> Source:
    source = Source(Figures(name), Figures(name), {})
    for month in sorted({*rows, *costs}, reverse=True):
        figures = source.months[month] = Figures(name)
        row, cost = rows.get(month), costs.get(month)
        sums = [figures, source.all, *([source.paid] if cost else [])]
        for one in sums:
            if row:
                one.add(row)
            if cost:
                one.pay(cost)
    return source


def each(total: int, people: int) -> int | None:
    """The share of one, a half rounded up; None without people."""
    return (2 * total + people) // (2 * people) if people else None


def save_costs(rows: Iterable[dict[str, Any]], by: Operator | None = None) -> int:
    """Store what months of sources cost ({source, month, spend_minor, rewards_minor}), over what stood there; returns how many.

    All or nothing. Raises DomainError naming the row and field that is wrong.
    """
    costs = [_checked(row, place) for place, row in enumerate(rows, 1)]
    if len({(cost.source, cost.month) for cost in costs}) < len(costs):
        raise DomainError("invalid", _("The same month of a source is there twice."), "month")
    SourceCost.objects.bulk_create(
        # In one order: two who store the same would wait for each other.
        sorted(costs, key=lambda cost: (cost.source, cost.month)),
        update_conflicts=True,
        unique_fields=["workspace", "source", "month"],
        update_fields=["spend_minor", "rewards_minor", "updated_at"],
    )
    for cost in costs[:100]:
        told = {"spend_minor": cost.spend_minor, "rewards_minor": cost.rewards_minor}
        audit("cost.save", f"{cost.source} {cost.month:%Y-%m}", by, **told)
    return len(costs)


def _checked(row: dict[str, Any], place: int) -> SourceCost:
    def refuse(why: str, name: str) -> DomainError:
        return DomainError("invalid", _("Row %(n)s: %(why)s") % {"n": place, "why": why}, name)

    source = str(row["source"]).strip()
    if not source or len(source) > 100 or "\0" in source:
        raise refuse(_("a source has 1 to 100 characters."), "source")
    if not 2000 <= row["month"].year <= 2200:
        raise refuse(_("a month is written like 2026-08."), "month")
    for name in ("spend_minor", "rewards_minor"):
        if not 0 <= row[name] <= MOST_MINOR:
            raise refuse(_("an amount is a number from 0 up, as on a bill."), name)
    values = {"spend_minor": row["spend_minor"], "rewards_minor": row["rewards_minor"]}
    month = row["month"].replace(day=1)
    return SourceCost(workspace=current_workspace(), source=source, month=month, updated_at=timezone.now(), **values)


def remove_cost(source: str, month: date, by: Operator | None = None) -> bool:
    """Forget what a month of a source cost; False when nothing was known."""
    gone = SourceCost.objects.filter(source=source, month=month.replace(day=1)).delete()[0] > 0
    if gone:
        audit("cost.remove", f"{source} {month:%Y-%m}", by)
    return gone


def parse_costs(text: str, workspace: Workspace) -> list[dict[str, Any]]:
    """Rows for `save_costs` from pasted lines: source, month, spend and, where there were any, cash rewards, with commas or
    tabs between. A first line without a digit is a header. Raises DomainError naming the line."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        raise DomainError("too_many", _("At most %(n)s lines at once.") % {"n": MOST_LINES}, "pasted")
    rows = []
    for place, line in enumerate(lines, 1):
        cells = [cell.strip().strip('"') for cell in (line.split("\t") if "\t" in line else re.split("[,，]", line))]
        if place == 1 < len(lines) and not re.search(r"\d", line):
            continue
        if len(cells) not in (3, 4) or parse_month(cells[1]) is None:
            why = _("Line %(n)s: a source, a month like 2026-08, what was spent, and cash rewards if there were any.")
            raise DomainError("invalid", why % {"n": place}, "pasted")
        amounts = [parse_minor(cell, workspace.currency) for cell in cells[2:]]
        if None in amounts:
            why = _("Line %(n)s: an amount is a number from 0 up, as on a bill.")
            raise DomainError("invalid", why % {"n": place}, "pasted")
        spend, rewards = (*amounts, 0)[:2]
        month = parse_month(cells[1])
        rows.append({"source": cells[0], "month": month, "spend_minor": spend, "rewards_minor": rewards})
    return rows


def parse_month(text: str) -> date | None:
    """The first day of YYYY-MM."""
    found = MONTH.fullmatch(text.strip())
    return date(int(found[1]), int(found[2]), 1) if found and int(found[1]) > 0 else None


def parse_minor(text: str, currency: str) -> int | None:
    """Minor units of an amount as people write it ("1 234.50"); None when it is none, negative, or finer than the currency."""
    try:
        amount = Decimal(text.replace(" ", "").replace(",", "") or "0").scaleb(decimals_of(currency))
    except ArithmeticError:  # no number, or one whose exponent is beyond all numbers
        return None
    fits = amount.is_finite() and 0 <= amount <= MOST_MINOR and amount == amount.to_integral_value()
    return int(amount) if fits else None
