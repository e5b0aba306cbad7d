"""The night's step of value: what every buyer is expected to order and spend in the 52 weeks to come, and the models behind it.

Fitted on the whole history, after a back-test on its last quarter chose the variant. A night without an answer says why
and takes the numbers of the night before away: whatever a page shows is of the day that it names.
"""

from __future__ import annotations

from datetime import date, timedelta
from io import StringIO
from typing import Any

import numpy as np

from lifecycle.models import PersonValue, ValueModel
from users.differences import compute, write_differences
from workspaces.copying import copy_csv
from workspaces.models import Workspace
from workspaces.sql import execute

WEEKS = 52
# A hold-out of a quarter of less than this tells nothing.
LEAST_DAYS = 56
# In the back-test, people with so many repeat order days and more are one class.
CLASSES = 7
# Sources beyond the largest are shown nowhere: whoever writes one per person does not mean a source.
MOST_SOURCES = 200


def predict_value(workspace: Workspace, day: date) -> dict[str, int]:
    """Fit the models of the day, write what is expected of each buyer, and sum up sources. Returns buyers and changes."""
    compute("value_orders", "lifecycle/value_orders", day=day)
    compute("value_order_days", "lifecycle/value_order_days")
    compute("value_buyers", "lifecycle/value_buyers", until=day)
    model = _model(workspace, day)
    if model.outcome == "fitted":
        changes = write_differences("person_value", "fresh_values", "end_user_id")
        model.expected_revenue_minor = _expected_revenue()
    else:
        changes = PersonValue.objects.all().delete()[0]
    changes += _keep(model)
    compute("fresh_sources", "lifecycle/source_months", day=day, most=MOST_SOURCES)
    changes += write_differences("source_month", "fresh_sources", "source, month")
    return {"people": model.buyers, "changes": changes}


def _model(workspace: Workspace, day: date) -> ValueModel:
    """The model of the day, unsaved; what it expects of people is in the temporary table fresh_values."""
    from lifecycle.buying import NoFit  # scipy: the web, which names this step, need not load it

    counted = execute(
        "select count(*) as buyers, count(*) filter (where repeats > 0) as repeaters, min(first_on) as first_on"
        " from value_buyers",
        {},
    )[0]
    model = ValueModel(workspace=workspace, day=day, **counted)
    days = (day - counted["first_on"]).days + 1 if counted["buyers"] else 0
    if model.buyers < workspace.rules.value_buyers:
        model.outcome = "few_buyers"
    elif model.repeaters < workspace.rules.value_repeaters:
        model.outcome = "few_repeaters"
    elif days < LEAST_DAYS:
        model.outcome = "short_history"
    else:
        try:
            _fit(model, day - timedelta(days=days // 4))
        except NoFit as error:
            model.outcome = f"no_fit_{error.about}"
    return model


def _fit(model: ValueModel, until: date) -> None:
    """Test on the days after `until`, fit on all of them, and expect; fills in the model. Raises NoFit before it does."""
    from lifecycle import buying, value_backtest

    compute("value_tested", "lifecycle/value_buyers", until=until)
    tested, days = _read_past("value_tested", until), (model.day - until).days
    back_test = value_backtest.back_test(tested, _read_spends("value_tested"), days / 7, CLASSES)
    now, spends = _read_past("value_buyers", model.day).histories, _read_spends("value_buyers")
    bought = buying.fit_buying(now, back_test["winner"])
    orders = bought.orders(now, WEEKS)
    spent = buying.fit_spending(spends.repeats, spends.spend, spends.people)
    told: dict[str, Any] = {
        "repeats": now.repeats.astype(int).tolist(),
        "recency": np.rint(now.recency * 7).astype(int).tolist(),
        "age": np.rint(now.age * 7).astype(int).tolist(),
        "orders": orders.tolist(),
        "alive": bought.alive(now).tolist(),
    }
    compute("fresh_values", "lifecycle/value_people", day=model.day, p=spent.p, q=spent.q, v=spent.v, **told)
    model.outcome, model.variant = "fitted", back_test["winner"]
    model.back_test = back_test | {"until": until.isoformat(), "days": days}
    model.buying, model.spending = value_backtest.told(bought), value_backtest.told(spent)
    model.correlation = value_backtest.correlate(spends)
    model.expected_orders = round(float(orders @ now.people), 2)


def _read_past(table: str, until: date) -> Any:
    from lifecycle.buying import Histories
    from lifecycle.value_backtest import Past

    repeats, recency, age, people, *rest = _columns("lifecycle/value_histories", table, 7, until=until)
    return Past(Histories(repeats, recency / 7, age / 7, people), *rest)


def _read_spends(table: str) -> Any:
    from lifecycle.value_backtest import Spends

    return Spends(*_columns("lifecycle/value_spends", table, 3))


def _columns(path: str, table: str, width: int, **params: Any) -> list[np.ndarray]:
    """The columns of a SELECT of numbers as arrays, without an object per number on the way."""
    out = StringIO()
    copy_csv(path, out, code=table, **params)
    out.seek(0)
    return list(np.loadtxt(out, delimiter=",", skiprows=1, ndmin=2).reshape(-1, width).T)


def _expected_revenue() -> int:
    return execute("select coalesce(sum(expected_revenue_minor), 0) as minor from fresh_values", {})[0]["minor"]


def _keep(model: ValueModel) -> int:
    """Write the model of its day where it differs from the one that is there; returns rows written."""
    values = {field.attname: getattr(model, field.attname) for field in ValueModel._meta.concrete_fields}
    if ValueModel.objects.filter(day=model.day).values(*values).first() == values:
        return 0
    ValueModel.objects.update_or_create(workspace=model.workspace, day=model.day, defaults=values)
    return 1
