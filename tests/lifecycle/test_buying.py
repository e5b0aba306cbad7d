"""The models of value against what others published about CDNOW, and against their own definitions."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import betaincinv

from lifecycle.buying import Buying, Histories, NoFit, fit_buying, fit_spending
from tests.oracle.cdnow import path_of

LAST = date(1997, 9, 30)
PUBLISHED = Buying("bg", 0.243, 4.414, 0.793, 2.426, 0.0)


def one(repeats: float, recency: float, age: float) -> Histories:
    return Histories(*(np.array([float(value)]) for value in (repeats, recency, age, 1)))


def order_days(sample: bool = True) -> pd.DataFrame:
    """Spend per (person, day), of the sample or of everybody."""
    path = path_of("CDNOW_sample.txt" if sample else "CDNOW_master.txt")
    names = ["master_id", "person", "day", "cds", "dollars"] if sample else ["person", "day", "cds", "dollars"]
    rows = pd.read_csv(path, sep=r"\s+", header=None if sample else 0, names=names)
    rows["day"] = pd.to_datetime(rows["day"].astype(str))
    return rows.groupby(["person", "day"], as_index=False)["dollars"].sum()


def buyers(days: pd.DataFrame) -> pd.DataFrame:
    """One row per person by the end of the 39 weeks: repeats, recency, age, spend of repeats, orders in the hold-out."""
    last = pd.Timestamp(LAST)
    first = days.groupby("person")["day"].transform("min")
    past, repeat = days["day"] <= last, days["day"] > first
    found = pd.DataFrame({"first": days.groupby("person")["day"].min()})
    found["latest"] = days[past].groupby("person")["day"].max()
    found["repeats"] = days[past].groupby("person").size() - 1
    found["spend"] = days[past & repeat].groupby("person")["dollars"].sum()
    found["later"] = days[~past].groupby("person").size()
    found["recency"] = (found["latest"] - found["first"]).dt.days / 7
    found["age"] = (last - found["first"]).dt.days / 7
    return found.fillna(0.0)


def histories(found: pd.DataFrame, grouped: bool = True) -> Histories:
    if not grouped:
        return Histories(*(found[name].to_numpy(float) for name in ("repeats", "recency", "age")), np.ones(len(found)))
    rows = found.groupby(["repeats", "recency", "age"], as_index=False).size()
    return Histories(*(rows[name].to_numpy(float) for name in ("repeats", "recency", "age", "size")))


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    return buyers(order_days())


def parameters(model: Buying) -> list[float]:
    return [model.r, model.alpha, model.a, model.b]


def test_bg_nbd_on_the_sample_is_the_published_one(cdnow: pd.DataFrame):
    assert (len(cdnow), cdnow.repeats.sum(), (cdnow.repeats > 0).sum(), cdnow.later.sum()) == (2357, 2457, 946, 1882)
    model = fit_buying(histories(cdnow), "bg")
    assert parameters(model) == pytest.approx([0.243, 4.414, 0.793, 2.426], abs=0.002)
    assert model.log_likelihood == pytest.approx(-9582.43, abs=0.005)
    alone = fit_buying(histories(cdnow, grouped=False), "bg")
    assert parameters(alone) == pytest.approx(parameters(model), rel=1e-4), "rows of equals are those people"


def test_mbg_nbd_on_the_sample_is_the_published_one(cdnow: pd.DataFrame):
    model = fit_buying(histories(cdnow), "mbg")
    assert parameters(model) == pytest.approx([0.525, 6.183, 0.891, 1.614], abs=0.002)
    once = one(0, 0, 38.86)
    assert PUBLISHED.alive(once)[0] == 1 and model.alive(once)[0] < 0.9, "who bought once may be gone"


def test_bg_nbd_on_everybody_is_what_others_found(cdnow: pd.DataFrame):
    found = buyers(order_days(sample=False))
    model = fit_buying(histories(found), "bg")
    assert parameters(model) == pytest.approx([0.2516, 4.7889, 0.7234, 2.1611], abs=0.002)
    assert model.log_likelihood == pytest.approx(-95368.44, abs=0.01) and found.later.sum() == 19684


@pytest.mark.parametrize(
    ("history", "alive", "in_39", "in_52"),
    [
        ((1, 1.71, 38.86), 0.2121, 0.2032, 0.2598),
        ((0, 0, 38.86), 1.0, 0.1951, 0.2521),
        ((7, 29.43, 38.86), 0.6418, 3.3371, 4.1989),
        ((26, 30.86, 31.00), 0.9689, 20.750, 25.758),
        ((29, 37.71, 38.00), 0.9691, 20.053, 25.060),
        ((2, 30.43, 38.86), 0.7266, 1.226, None),
    ],
)
def test_what_is_expected_of_one_person_is_what_was_published(history, alive, in_39, in_52):
    row = one(*history)
    assert PUBLISHED.alive(row)[0] == pytest.approx(alive, abs=5e-5)
    assert PUBLISHED.orders(row, 39)[0] == pytest.approx(in_39, abs=6e-4)
    assert in_52 is None or PUBLISHED.orders(row, 52)[0] == pytest.approx(in_52, abs=6e-4)


def test_the_next_week_of_the_best_customers(cdnow: pd.DataFrame):
    rows = histories(cdnow, grouped=False)
    expected = pd.Series(fit_buying(rows, "bg").orders(rows, 1), cdnow.index)
    published = {1516: 0.710623, 157: 0.662396, 1981: 0.486526, 841: 0.474738, 509: 0.424877}
    assert expected.nlargest(5).to_dict() == pytest.approx(published, abs=1e-3)


def test_the_hold_out_of_the_sample(cdnow: pd.DataFrame):
    rows = histories(cdnow, grouped=False)
    model = fit_buying(rows, "bg")
    expected = pd.Series(model.orders(rows, 39), cdnow.index)
    assert expected.sum() == pytest.approx(1653.41, abs=0.3) and model.alive(rows).mean() == pytest.approx(
        0.81344, abs=2e-4
    )
    means = expected.groupby(cdnow.repeats.clip(upper=7)).mean()
    published = [0.2251, 0.5231, 1.0441, 1.5203, 2.1639, 2.6538, 3.5040, 6.1572]
    assert means.tolist() == pytest.approx(published, abs=2e-3)


def test_gamma_gamma_on_the_sample_is_the_published_one(cdnow: pd.DataFrame):
    again = cdnow[cdnow.repeats > 0]
    spends = again.groupby(["repeats", "spend"], as_index=False).size()
    model = fit_spending(*(spends[name].to_numpy(float) for name in ("repeats", "spend", "size")))
    assert [model.p, model.q, model.v] == pytest.approx([6.25, 3.74, 15.44], abs=0.01)
    first = cdnow.iloc[:10]
    published = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
    assert model.average(first.repeats.to_numpy(), first.spend.to_numpy()).tolist() == pytest.approx(
        published, abs=0.02
    )
    alone = fit_spending(again.repeats.to_numpy(), again.spend.to_numpy() * 100, np.ones(len(again)))
    assert alone.v == pytest.approx(model.v * 100, rel=1e-3), "in cents it is the same"
    together = model.average(np.array([3.0]), np.array([50.0]), np.array([2]))[0]
    apart = model.average(np.array([3.0, 3.0]), np.array([20.0, 30.0])).sum()
    assert together == pytest.approx(apart)


def expected_by_integral(model: Buying, history: Histories, weeks: float) -> float:
    """E[orders] from the rate and the chance to leave, integrated: no closed form, and none of the product's code."""
    x, age = history.repeats[0], history.age[0]
    start = model.b + x - (model.variant == "bg")
    shape, rate = model.r + x, model.alpha + age

    # Given the rate (gamma) and the chance p to leave (beta, by its quantiles): (1 − e^(−rate·p·weeks)) / p.
    def at_quantile(quantile: float) -> float:
        p = betaincinv(model.a, start + 1, quantile)
        return -np.expm1(-shape * np.log1p(p * weeks / rate)) / p if p > 1e-12 else shape * weeks / rate

    return quad(at_quantile, 0, 1, limit=400)[0] * model.alive(history)[0]


@pytest.mark.parametrize("variant", ["bg", "mbg"])
@pytest.mark.parametrize("a", [0.001, 0.3, 1.0, 2.7, 3000.0])
def test_expected_orders_are_the_integral_that_they_stand_for(variant: str, a: float):
    for b in (0.9, 12.0, 5000.0):
        for history in (one(1, 3, 9), one(4, 30, 31), one(180, 51, 52), one(2, 1, 300)):
            model = Buying(variant, 0.8, 3.0, a, b, 0.0)
            for weeks in (1, 52, 300):
                expected = expected_by_integral(model, history, weeks)
                assert model.orders(history, weeks)[0] == pytest.approx(expected, rel=1e-3), (b, history, weeks)


@pytest.mark.parametrize("variant", ["bg", "mbg"])
def test_a_fit_finds_the_parameters_that_made_the_people(variant: str):
    rows = simulate(variant, people=40_000, r=0.7, alpha=6.0, a=1.2, b=3.0)
    model = fit_buying(rows, variant)
    assert parameters(model) == pytest.approx([0.7, 6.0, 1.2, 3.0], rel=0.25)
    other = fit_buying(rows, {"bg": "mbg", "mbg": "bg"}[variant])
    assert model.log_likelihood > other.log_likelihood


def simulate(variant: str, people: int, r: float, alpha: float, a: float, b: float) -> Histories:
    """People who order and leave as the model says, for a year; grouped by day as the product does."""
    chance = np.random.default_rng(7)
    rates, leaves = chance.gamma(r, 1 / alpha, people), chance.beta(a, b, people)
    age = chance.integers(10, 53, people).astype(float)
    at, last, repeats = np.zeros(people), np.zeros(people), np.zeros(people)
    alive = np.full(people, True) if variant == "bg" else chance.random(people) >= leaves
    while alive.any():
        at = at + chance.exponential(1 / rates)
        alive &= at <= age
        last, repeats = np.where(alive, at, last), repeats + alive
        alive &= chance.random(people) >= leaves
    rows = pd.DataFrame({"x": repeats, "t": last, "T": age}).groupby(["x", "t", "T"], as_index=False).size()
    return Histories(*(rows[name].to_numpy(float) for name in ("x", "t", "T", "size")))


def test_what_has_no_answer_is_told_and_not_guessed():
    wild = np.exp(np.random.default_rng(3).normal(0, 6, 400))
    with pytest.raises(NoFit):
        fit_spending(np.full(400, 50.0), wild * 50, np.ones(400))
    impossible = Histories(*(np.array(values, float) for values in ([3, 0], [np.nan, 0], [10, 20], [600, 500])))
    with pytest.raises(NoFit):
        fit_buying(impossible, "bg")
    broken = Buying("bg", 0.5, 3.0, 0.9, float("nan"), 0.0)
    with pytest.raises(NoFit):
        broken.orders(one(3, 5, 9), 52)


def test_nobody_who_came_again_is_expected_to():
    nobody = Histories(*(np.array(values, float) for values in ([0, 0], [0, 0], [10, 20], [600, 500])))
    assert fit_buying(nobody, "bg").orders(nobody, 52).max() < 0.01


def test_one_price_for_all_is_expected_again():
    model = fit_spending(np.array([1.0, 2.0, 5.0]), np.array([10.0, 20.0, 50.0]), np.array([300, 200, 100]))
    assert model.average(np.array([0.0, 5.0]), np.array([0.0, 50.0])).tolist() == pytest.approx([10, 10], rel=1e-3)
