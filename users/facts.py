"""The catalogue of facts (用户指标): every number kept per end user, with its unit and the sentence that says what it means.

A key is a column of the `facts` table. The sentence is shown beside the number; docs/definitions.md says it exactly, and
tests hold columns, catalogue and definitions together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

# What a value of each unit is: how it is compared in a condition and written on a page.
UNITS = {
    "date": "date",
    "days": "number",
    "times": "number",
    "minor": "number",
    "percent": "number",
    "expected": "number",
    "hour": "number",
    "weekday": "number",
    "text": "text",
    "yes_no": "boolean",
}


@dataclass(frozen=True)
class Fact:
    """One fact. `unit` is a key of UNITS; `minor` is money in minor units, `weekday` counts from Monday = 0,
    `expected` is a count that may be a fraction."""

    key: str
    unit: str
    label: Any
    sentence: Any

    @property
    def kind(self) -> str:
        """date, number, text or boolean."""
        return UNITS[self.unit]


_CATALOGUE = (
    Fact("first_seen_on", "date", _("First visit"), _("The day of the first visit.")),
    Fact("last_seen_on", "date", _("Last visit"), _("The day of the latest visit.")),
    Fact(
        "registered_on",
        "date",
        _("Registered on"),
        _("The day of the first registration event; without one, the registration date among the attributes."),
    ),
    Fact(
        "visits_7",
        "times",
        _("Visits, 7 days"),
        _("Events the person did in the last 7 days; what others did to them is not counted."),
    ),
    Fact("visits_30", "times", _("Visits, 30 days"), _("Events the person did in the last 30 days.")),
    Fact("visits_90", "times", _("Visits, 90 days"), _("Events the person did in the last 90 days.")),
    Fact("visits", "times", _("Visits"), _("Events the person ever did.")),
    Fact("active_days_7", "days", _("Active days, 7 days"), _("Days with a visit among the last 7.")),
    Fact("active_days_30", "days", _("Active days, 30 days"), _("Days with a visit among the last 30.")),
    Fact("active_days_90", "days", _("Active days, 90 days"), _("Days with a visit among the last 90.")),
    Fact("active_days", "days", _("Active days"), _("Days with a visit, ever.")),
    Fact("core_days", "days", _("Core-action days"), _("Days on which the person did the core action, ever.")),
    Fact("first_core_on", "date", _("Activated on"), _("The day of the first core action.")),
    Fact("last_core_on", "date", _("Last core action"), _("The day of the latest core action.")),
    Fact(
        "habit_days", "days", _("Habit days"), _("Days with the habit event within the habit window that ends today.")
    ),
    Fact(
        "ever_habit", "yes_no", _("Ever a habit"), _("Whether any window of that length ever held enough habit days.")
    ),
    Fact(
        "ever_paid", "yes_no", _("Ever paid"), _("Whether one pay event, less its refunds, came to more than nothing.")
    ),
    Fact(
        "orders",
        "times",
        _("Orders"),
        _("Orders ever placed; versions of one order are one, fully refunded orders none."),
    ),
    Fact("revenue_minor", "minor", _("Spend to date"), _("What the orders came to, less refunds.")),
    Fact(
        "revenue_365_minor",
        "minor",
        _("Spend, 365 days"),
        _("What the orders of the last 365 days came to, less the refunds of those days."),
    ),
    Fact("window_orders", "times", _("Orders in the RFM window"), _("F: orders whose day lies in the RFM window.")),
    Fact(
        "window_revenue_minor",
        "minor",
        _("Spend in the RFM window"),
        _("M: orders of the RFM window, less the refunds of its days."),
    ),
    Fact("first_order_on", "date", _("First order"), _("The day of the first order that still counts.")),
    Fact("last_order_on", "date", _("Last order"), _("The day of the latest order that still counts.")),
    Fact("average_order_minor", "minor", _("Average order"), _("Spend to date divided by orders.")),
    Fact("coupon_percent", "percent", _("Orders with a coupon"), _("Share of the orders that carried a coupon.")),
    Fact(
        "subsidy_dependent",
        "yes_no",
        _("Subsidy-dependent"),
        _("Whether most of the last year's orders came with a targeted coupon; unknown below 4 orders."),
    ),
    Fact("gap_median", "days", _("Usual gap"), _("Median number of days between active days, of the last 30 gaps.")),
    Fact("gap_p90", "days", _("Long gap"), _("90th percentile of the days between active days, of the last 30 gaps.")),
    Fact(
        "recommendations",
        "times",
        _("Lasting recommendations"),
        _("Invitees who did the core action on two days within 30 days of joining; counted for a year by default."),
    ),
    Fact("favourite_category", "text", _("Favourite category"), _("The category named most often in visits.")),
    Fact("favourite_hour", "hour", _("Favourite hour"), _("The hour of the day with most visits.")),
    Fact("favourite_weekday", "weekday", _("Favourite weekday"), _("The weekday with most visits.")),
    Fact("app_version", "text", _("App version"), _("The version of the app at the latest visit that told one.")),
    Fact("effective", "yes_no", _("Effective newcomer"), _("Registered, and did the core action soon after.")),
)
FACTS: dict[str, Fact] = {fact.key: fact for fact in _CATALOGUE}
