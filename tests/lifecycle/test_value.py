"""The night's step of value, on the orders of CDNOW as the product stores them, against a second computation in pandas."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lifecycle.models import PersonValue, SourceMonth, ValueModel
from lifecycle.value import predict_value
from lifecycle.value_facts import VALUE_FACTS
from ops_platform.nightly import run_night
from tests import builders
from tests.conftest import ground
from tests.oracle import cdnow
from users.facts import UNITS
from users.models import EndUser, person_id
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import change_settings

DAY = cdnow.LAST_DAY
# Enough for a model; the whole sample is the business of test_buying.
PEOPLE = 700


def take_in(acme: Workspace) -> Workspace:
    """The first people of CDNOW's sample in acme, their facts as of the last day."""
    events, people = (rows[rows["external_id"].astype(int) <= PEOPLE] for rows in cdnow.frames())
    with workspace_scope(acme):
        EndUser.objects.bulk_create(
            builders.unsaved_people(acme, people[["external_id", "created_at"]].itertuples(index=False, name=None))
        )
        builders.events(acme, builders.rows_of(events))
    run_night(acme, DAY, only="facts")
    return acme


@ground
def buyers(world: Any) -> Workspace:
    return take_in(world.acme)


def again(workspace: Workspace, day: date = DAY) -> tuple[ValueModel, dict[str, int]]:
    with workspace_scope(workspace):
        counts = predict_value(workspace, day)
        return ValueModel.objects.get(day=day), counts


def pandas_buyers(until: date) -> pd.DataFrame:
    """The buyers by `until`, as tests/lifecycle/test_buying.py has them, and what they did after: by sample id, in cents."""
    from tests.lifecycle.test_buying import order_days

    days = order_days().query("person <= @PEOPLE").assign(cents=lambda rows: (rows["dollars"] * 100).round())
    last = pd.Timestamp(until)
    days["first"] = days.groupby("person")["day"].transform("min")
    past = days[days["day"] <= last]
    found = past.groupby("person").agg(first=("first", "min"), latest=("day", "max"), n=("day", "size"))
    found["spend"] = past[past["day"] > past["first"]].groupby("person")["cents"].sum()
    later = days[days["day"] > last].groupby("person")
    found["later"], found["later_cents"] = later.size(), later["cents"].sum()
    return found.fillna({"spend": 0, "later": 0, "later_cents": 0}).assign(
        x=found["n"] - 1,
        t=(found["latest"] - found["first"]).dt.days / 7,
        T=(last - found["first"]).dt.days / 7,
    )


def test_the_facts_of_value_are_columns_with_words():
    columns = {field.name for field in PersonValue._meta.concrete_fields} - {"workspace", "end_user", "tested_repeats"}
    assert set(VALUE_FACTS) == columns
    assert all(fact.unit in UNITS and str(fact.label) and str(fact.sentence) for fact in VALUE_FACTS.values())


def test_the_models_and_everybodys_value_are_those_of_a_second_program(buyers: Workspace):
    from scipy.special import hyp2f1

    model, counts = again(buyers)
    found = pandas_buyers(DAY)
    assert (model.outcome, model.buyers, model.repeaters) == ("fitted", PEOPLE, int((found.x > 0).sum()))
    assert counts["people"] == PEOPLE and counts["changes"] == PEOPLE + 1
    r, alpha, a, b = (model.buying[name] for name in ("r", "alpha", "a", "b"))
    p, q, v = (model.spending[name] for name in ("p", "q", "v"))
    # Plainly, as published: without the transformation that keeps frequent buyers in bounds.
    start = b + found.x - (model.variant == "bg")
    leaves = np.where((found.x > 0) | (model.variant == "mbg"), 1, 0)
    odds = leaves * a / start * ((alpha + found["T"]) / (alpha + found.t)) ** (r + found.x)
    z = 52 / (alpha + found["T"] + 52)
    series = hyp2f1(r + found.x, start + 1, a + start, z)
    orders = (a + start) / (a - 1) * (1 - (1 - z) ** (r + found.x) * series) / (1 + odds)
    money = orders * p * (v + found.spend) / (p * found.x + q - 1)
    with workspace_scope(buyers):
        rows = {row.end_user_id: row for row in PersonValue.objects.all()}
    told = [rows[person_id(buyers.pk, str(person))] for person in found.index]
    assert [float(row.expected_orders) for row in told] == pytest.approx(orders.tolist(), abs=0.0051)
    assert [row.expected_revenue_minor for row in told] == pytest.approx(money.tolist(), abs=1.5, rel=1e-3)
    once = (found.x == 0).tolist()
    assert [row.alive_percent is None for row in told] == once, "of one order it cannot be told"
    alive = [float(row.alive_percent) for row in told if row.alive_percent is not None]
    assert alive == pytest.approx((100 / (1 + odds))[found.x > 0].tolist(), abs=0.0051)
    assert model.expected_orders == pytest.approx(orders.sum(), rel=1e-4)
    assert model.expected_revenue_minor == sum(row.expected_revenue_minor for row in told)


def test_the_back_test_holds_the_last_quarter_against_the_rest(buyers: Workspace):
    model, _ = again(buyers)
    until = date.fromisoformat(model.back_test["until"])
    assert (until, model.back_test["days"]) == (DAY - timedelta(days=136), 136), "a quarter of 546 days"
    found = pandas_buyers(until)
    classes = found.groupby(found.x.clip(upper=7))
    told = model.back_test["classes"]
    assert [row["repeats"] for row in told] == list(range(8))
    assert [row["people"] for row in told] == classes.size().tolist()
    assert [row["actual"] for row in told] == classes["later"].sum().tolist()
    assert [row["actual_minor"] for row in told] == classes["later_cents"].sum().tolist()
    for variant, numbers in model.back_test["variants"].items():
        assert numbers["error"] >= model.back_test["variants"][model.variant]["error"], variant
    predicted, actual = sum(row["predicted"] for row in told), sum(row["actual"] for row in told)
    assert predicted == pytest.approx(actual, rel=0.3), "not far off, on people it had never seen"
    with workspace_scope(buyers):
        tested = PersonValue.objects.filter(tested_repeats=2).count()
    assert tested == (found.x == 2).sum()


def test_a_second_run_changes_nothing_and_a_later_day_what_differs(buyers: Workspace):
    again(buyers)
    model, counts = again(buyers)
    assert counts["changes"] == 0
    later, counts = again(buyers, DAY + timedelta(days=1))
    assert later.expected_orders < model.expected_orders and 0 < counts["changes"] <= PEOPLE + 1


def test_too_little_is_told_and_the_old_numbers_go(buyers: Workspace):
    again(buyers)
    with workspace_scope(buyers):
        change_settings({"value_repeaters": 5000})
    buyers.refresh_from_db()
    model, _ = again(buyers)
    assert (model.outcome, model.variant, model.back_test) == ("few_repeaters", "", {})
    with workspace_scope(buyers):
        assert not PersonValue.objects.exists()
        change_settings({"value_buyers": 3000})
    buyers.refresh_from_db()
    assert again(buyers)[0].outcome == "few_buyers"


def test_a_short_history_is_told(acme: Workspace):
    builders.event(acme, "ann", "Order Completed", "2026-08-01", total=10)
    builders.event(acme, "ann", "Order Completed", "2026-08-09", total=10)
    with workspace_scope(acme):
        change_settings({"value_buyers": 1, "value_repeaters": 1})
    acme.refresh_from_db()
    run_night(acme, date(2026, 8, 20), only="facts")
    assert again(acme, date(2026, 8, 20))[0].outcome == "short_history"


def test_nobody_outside_the_numbers_counts(acme: Workspace):
    for who in ("ann", "staff"):
        builders.event(acme, who, "Order Completed", "2026-08-01", total=10)
    builders.person(acme, "staff", excluded=True)
    builders.event(acme, "bo", "Order Completed", "2026-08-01", order_id="o1", total=10)
    builders.event(acme, "bo", "Order Refunded", "2026-08-02", order_id="o1", total=10)
    run_night(acme, date(2026, 8, 20), only="facts")
    model, _ = again(acme, date(2026, 8, 20))
    assert (model.outcome, model.buyers) == ("few_buyers", 1), "a refunded order makes no buyer"


def test_a_source_tells_what_its_people_brought_by_age(acme: Workspace):
    def join(who: str, day: str, **orders: float) -> None:
        builders.event(acme, who, "Account Registered", day)
        builders.person(acme, who, created=day, source="feed")
        for at, total in orders.items():
            builders.event(
                acme, who, "Order Completed", at.replace("d", "2026-").replace("_", "-"), order_id=who + at, total=total
            )

    join("ann", "2026-07-01", d07_01=10, d07_07=20, d07_31=40)
    join("bo", "2026-07-25", d07_26=100)
    join("cy", "2026-08-10")
    builders.event(acme, "ann", "Order Refunded", "2026-07-08", order_id="annd07_01", total=4)
    run_night(acme, date(2026, 8, 19))
    with workspace_scope(acme):
        july, august = SourceMonth.objects.filter(source="feed").order_by("month")
    assert (july.people, july.buyers, july.revenue_minor) == (2, 2, 16600)
    assert (august.people, august.effective, august.brought_minor[9]) == (1, 0, 0)
    brought = dict(enumerate(zip(july.aged, july.brought_minor, strict=True), 1))
    assert (
        brought[1] == (2, 1000) and brought[2] == (2, 11000) and brought[7] == (2, 13000) and brought[8] == (2, 12600)
    )
    assert brought[26] == (2, 12600) and brought[27] == (1, 2600), "bo's first 27 days are not over yet"
    assert brought[31] == (1, 6600) and brought[50] == (1, 6600) and brought[51] == (0, 0) == brought[365]
