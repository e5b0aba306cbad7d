"""Every per-person number of the product, computed again from exported rows: the oracle its SQL is held against.

`compute(events, people, settings, day)` answers for one day; `Computation(events, people, settings).on(day)` prepares
once and answers for many. Inputs are the CSV exports read as text (`rows.read_export`) and a plain settings dict
(`rules.read_rules`). The binding definitions leave some choices open; these are the ones made here.

Time and rows
 1. The day of a row is the local date of its exported `at` (the corrected time) in the workspace's zone.
 2. Rows are ordered by (at, message_id); message ids compare by code point (COLLATE "C" in SQL). Rows are taken to be
    deduplicated already: two rows are two events.
 3. A person is in the result of day D when created on a day <= D or when any event of theirs, passive ones included,
    lies on a day <= D. Excluded people and all their rows vanish first: they are in no population, no mean, no cut
    point, and they are nobody's invitee. Events of ids that are not in `people` are ignored.
 4. Attributes have no history in the export: they are taken as they stand, whatever the day, except that a
    registration date after D is not known yet.
 5. "All" and "ever" mean up to D. A window of N days is D-N+1 ... D.

Roles
 6. Roles are independent of each other: an event may be core, habit, order and pay at once, and a passive event that
    is mapped as core, habit, order or pay counts as that, while being no visit (auto-renewal pays without a visit).
 7. Refund events are always passive, listed or not. Apart from them exactly the listed names are passive.
 8. No core event mapped: each visit is a core action. No habit event mapped: the habit event is the core action.
 9. visits_N counts visit rows, active_days_N the days with at least one; first and last seen are visit days.
    core_days and last_core_on count every core day up to D.
10. A fully refunded order counts nowhere *as an order*; its row stays something the person did: a visit, a core or
    habit day. (So neither first use nor "ever habit" is taken back by a refund.)

Orders and refunds
11. An order is (person, order_id): ids and refunds are matched within one person's rows only. A number as id is its
    text; a missing, null or empty id makes each row an order of its own.
12. An amount is the first of total, revenue, value that is a number or a text which is just a number (null, empty,
    boolean or `¥86` passes to the next), as an exact decimal, rounded half away from zero to minor units.
13. The version of an order that counts on D is its last row <= D that carries an amount; if none does, the last row,
    worth 0. Amount, coupon and coupon kind are read from that one row. Its day is that of its first row of all.
    A zero-amount order is an order.
14. A refund is worth |amount| on its own day. Without a readable amount it is worth the whole amount, as of D, of the
    order it names; if that order is unknown up to D, nothing.
15. An order with at least one refund row <= D naming it, adding up to at least its amount as of D, is void: neither
    it nor any of its refunds (a surplus included) is counted in any order number. Refunds after D are unknown.
16. Every other refund comes off, also one that names no order or an unknown one, and one whose order lies before the
    window. A refund that names only a payment (pay role, not order role) is such a refund.
17. orders, revenue_minor, first_order_on, last_order_on, coupon_share are all time up to D over orders that count;
    revenue is net of the refunds that come off. average_order_minor = revenue_minor / orders, half away from zero;
    empty without orders. coupon_share = share of orders with a non-empty coupon_id; empty without orders.
18. Subsidy: orders that count, with their day in the window. Targeted: coupon_kind is exactly `targeted`, or no kind
    (absent, null, empty) and a coupon_id. count >= 4 and targeted >= 0.8 x count, compared exactly.
19. Paying (only with the pay stage on; else nobody is): rows of pay events fold like 11-15; somebody pays when one
    payment's amount less the refunds naming it, all up to D, is above zero. No amount is not positive. A payment
    refunded later stops having been one.

RFM
20. Population: at least one order that counts with its day in the window. R = D - day of the last such order (day of
    its first row). M = their amounts less the refunds of 16 whose own day is in the window.
21. Cut points are exact type-7 quantiles; scores, bits and ties are compared without floats. The mean is over the
    population. Only the default axes, quintiles and "mean of values" are computed here.
22. `returned` replaces promising and new when the first order that counts, ever, is on a day <= D - window. With the
    window `all` nobody is returned.

Activity flag
23. Gaps lie between consecutive active days up to D, the last 30 of them; the open gap up to D is none. gap_median
    and gap_p90 are told from one gap on; the personal limit needs 4 active days of all time.
24. limit = clamp(max(3 x median, 1.5 x p90), min, max), not rounded; people with fewer than 4 active days and the rule
    `fixed` get N, not clamped. Compared exactly: dormant when idle >= limit, slipping when idle >= 0.6 x limit.
25. idle = D - last_seen_on; of a person without a visit, D - created day, at least 0. Such a person has limit N and is
    active or slipping, however long idle.
26. `with_balance`: dormant also needs the balance attribute to be a number at or below the floor (setting, 0); past
    the limit with more, or with no readable balance, is slipping. Further warning signals are off.

Stage
27. habit: habit days in D-window+1 ... D. Ever habit: some k consecutive habit days up to D span less than the window
    (k-th minus first < window). Both are by distinct days.
28. churned = dormant and (ever habit or paying); an advocate is one of these anyway, and a lapsed recommendation does
    not matter. With the pay stage off "paying" is false everywhere.

Recommendation
29. An invitee's inviter is the attribute referred_by; without it, the first `Referral Accepted` up to D (in row
    order) belonging to the invitee and naming a referred_by. Unknown inviters and oneself are none. One inviter each.
30. Joining = registered_on as of D, else first_seen_on. The first two core days with 0 <= core day - joining <= 30
    make the recommendation; it is dated by the second of them, and counted for D when that date is in the window.
31. registered_on = day of the first registered event up to D, else the attribute registered_at, else created: an ISO
    date as it stands, an ISO time with an offset in the workspace's zone, without one as workspace time; anything
    else is unknown.

Favourites
32. favourite_hour, favourite_weekday (Monday 0): most frequent over all visits up to D in local time;
    favourite_category: over visits with a top-level property `category` (non-empty text, or a number as text). Ties:
    the value whose last such visit is later, then the smallest (texts by code point).
33. app_version: property app_version of the last visit that has one, in row order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from . import behaviour, orders, rows, scores, stages
from .rules import read_rules
from .values import day_number

RFM_COLUMNS = ["r_days", "f_orders", "m_minor", "r_score", "f_score", "m_score", "rfm_group", "rfm_bits"]
DAY_COLUMNS = ["first_seen_on", "last_seen_on", "registered_on", "first_order_on", "last_order_on", "last_core_on"]
COLUMNS = (
    ["stage", "churn", *RFM_COLUMNS, *DAY_COLUMNS[:5], "orders", "revenue_minor"]
    + [f"{kind}_{window}" for kind in ("visits", "active_days") for window in behaviour.VISIT_WINDOWS]
    + ["core_days", "last_core_on", "gap_median", "gap_p90", "recommendations", "idle_days", "limit_days"]
    + ["coupon_share", "favourite_hour", "favourite_weekday", "favourite_category", "app_version"]
    + ["average_order_minor"]
)


def compute(events: pd.DataFrame, people: pd.DataFrame, settings: Mapping[str, Any], day: date) -> pd.DataFrame:
    """All numbers of one day, indexed by external_id; see `Computation.on`."""
    return Computation(events, people, settings).on(day)


class Computation:
    """The exported rows of one workspace, parsed once; `on(day)` is then a function of the rows up to that day."""

    def __init__(self, events: pd.DataFrame, people: pd.DataFrame, settings: Mapping[str, Any]) -> None:
        """`events`: external_id, event, at, message_id, properties; `people`: external_id, created_at, excluded,
        attributes. Raises ValueError on a repeated external_id, a time that is not ISO-8601 or malformed JSON."""
        self.rules = rules = read_rules(settings)
        self.people = rows.prepare_people(people, rules)
        self.size = len(self.people)
        self.ids = pd.Index(self.people["external_id"])
        happened = rows.prepare_events(events, self.people, rules)
        self.days = rows.person_days(happened)
        self.visits = happened.loc[happened["visit"], ["person", "day", "at", "hour", "weekday"]]
        self.categories = rows.property_of_visits(happened, "category")
        self.app_versions = rows.property_of_visits(happened, "app_version")
        self.referrals = rows.accepted_referrals(happened)
        self.order_rows = orders.money_rows(happened, rules.roles["order"], rules)
        self.refund_rows = orders.money_rows(happened, rules.roles["refund"], rules)
        self.pay_rows = orders.money_rows(happened, rules.roles["pay"], rules)
        self.first_habit = behaviour.first_habit_days(self.days, rules, self.size)
        registrations = happened[happened["event"] == rules.registered_event]
        self.registration = self._first_day(registrations)
        self.known_from = np.minimum(self.people["created"].to_numpy(), self._first_day(happened))

    def on(self, day: date) -> pd.DataFrame:
        """One row per person known on the day, indexed by external_id, with `COLUMNS`.

        Days are datetime64, money is minor units, limits and gaps are days; empty is NaT, <NA>, NaN or None.
        """
        d = day_number(day)
        facts: dict[str, Any] = behaviour.visit_facts(self.days, d, self.size)
        books = orders.books_on(self.order_rows, self.refund_rows, d)
        facts |= orders.order_facts(books, d, self.size)
        facts["registered_on"] = self._registered_on(d)
        facts |= self._favourites(d)
        facts["recommendations"] = self._recommendations(facts, d)
        facts |= self._activity(facts, d)
        facts["stage"] = self._stage(facts, books, d)
        frame = pd.DataFrame(facts, index=self.ids)
        habit_days = behaviour.habit_days(self.days, self.rules, d, self.size)
        rfm = scores.rfm_on(books, facts, habit_days, self.rules, d, self.size)
        return _presentable(frame, rfm)[self.known_from <= d]

    def _first_day(self, frame: pd.DataFrame) -> np.ndarray:
        first = np.full(self.size, rows.NEVER, dtype=np.int64)
        np.minimum.at(first, frame["person"].to_numpy(), frame["day"].to_numpy())
        return first

    def _registered_on(self, d: int) -> np.ndarray:
        told = self.people["attribute_registered"].to_numpy()
        return np.where(self.registration <= d, self.registration, np.where(told <= d, told, -1))

    def _favourites(self, d: int) -> dict[str, np.ndarray]:
        return {
            "favourite_hour": behaviour.favourite(self.visits, "hour", d, self.size),
            "favourite_weekday": behaviour.favourite(self.visits, "weekday", d, self.size),
            "favourite_category": behaviour.favourite(self.categories, "value", d, self.size),
            "app_version": behaviour.latest_value(self.app_versions, d, self.size),
        }

    def _recommendations(self, facts: Mapping[str, np.ndarray], d: int) -> np.ndarray:
        inviter = behaviour.inviters_on(self.people["inviter"], self.referrals, self.ids, d)
        registered = facts["registered_on"]
        joined = np.where(registered >= 0, registered, facts["first_seen_on"])
        return behaviour.recommendations(self.days, inviter, joined, self.rules, d, self.size)

    def _activity(self, facts: Mapping[str, np.ndarray], d: int) -> dict[str, np.ndarray]:
        seen = facts["last_seen_on"] >= 0
        created = np.minimum(self.people["created"].to_numpy(), d)
        idle = d - np.where(seen, facts["last_seen_on"], created)
        twice_median, ten_p90 = behaviour.gap_quantiles(self.days, d, self.size)
        limit20 = stages.limits_in_twentieths(twice_median, ten_p90, facts["active_days_all"], self.rules)
        broke = self.people["broke"].to_numpy()
        return {
            "idle_days": idle,
            "limit_days": limit20 / stages.PARTS_A_DAY,
            "gap_median": np.where(twice_median < 0, np.nan, twice_median / 2),
            "gap_p90": np.where(ten_p90 < 0, np.nan, ten_p90 / 10),
            "churn": stages.activity_flags(idle, limit20, seen, broke, self.rules),
        }

    def _stage(self, facts: Mapping[str, np.ndarray], books: orders.Books, d: int) -> np.ndarray:
        nobody = np.zeros(self.size, dtype=bool)
        on = self.rules.pay_stage
        return stages.lifecycle_stages(
            dormant=facts["churn"] == "dormant",
            ever_habit=self.first_habit <= d,
            paying=orders.paid_on(self.pay_rows, self.refund_rows, d, self.size) if on else nobody,
            recommends=facts["recommendations"] >= 1,
            subsidised=orders.subsidy_dependent(books.orders, self.rules, d, self.size),
            habit=behaviour.habit_now(self.days, self.rules, d, self.size),
            used=facts["core_days"] > 0,
        )


def _presentable(frame: pd.DataFrame, rfm: pd.DataFrame) -> pd.DataFrame:
    """Add the RFM columns, turn day numbers into days and "-1 = nothing" into empty, order the columns."""
    for column in DAY_COLUMNS:
        number = frame[column].to_numpy()
        days = number.astype("datetime64[D]")
        days[number < 0] = np.datetime64("NaT")
        frame[column] = days.astype("datetime64[s]")
    for column in RFM_COLUMNS:
        values = np.full(len(frame), None, dtype=object)
        if len(rfm):
            values[rfm.index.to_numpy()] = rfm[column].to_numpy(dtype=object)
        frame[column] = values if column in ("rfm_group", "rfm_bits") else pd.array(values, dtype="Int64")
    for column in ("favourite_hour", "favourite_weekday"):
        frame[column] = pd.array(frame[column].to_numpy(dtype=object), dtype="Int64")
    frame["average_order_minor"] = frame["average_order_minor"].astype("Int64").where(frame["orders"] > 0)
    frame.index.name = "external_id"
    return frame[COLUMNS]
