"""How often a buyer will order again, and for how much: BG/NBD, MBG/NBD and gamma-gamma. Pure: numbers in, numbers out.

BG/NBD (Fader, Hardie and Lee 2005): while alive, a buyer orders at a rate of their own (gamma with shape r and rate alpha);
after each repeat order they may be gone for good, with a chance of their own (beta with a and b). MBG/NBD (Batislam and
others 2007) lets them be gone after the first order already, so that it does not take everybody who bought once for alive.
The two differ in where the chances are counted from, so one code serves both. Gamma-gamma (Fader and Hardie 2013): the
spend of an order varies around a mean of the buyer's own, which does not hang on how often they order.

scipy is loaded by the night's step alone: the web would pay 50 MB for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betainc, gammaln, psi

VARIANTS = ("bg", "mbg")
# Parameters are sought between e^-9 and e^9. An answer at an edge is the limit that it looks like: nobody ever leaves, all
# leave with the same chance, every order comes to the same.
EDGE = 9.0
# A slope of the mean log-likelihood that counts as none: narrow ridges at an edge never get as flat as a hilltop.
FLAT = 1e-3
# Of the expected orders of one person, what may be left out; and how many a year may have.
TINY = 1e-8
MOST_ORDERS = 50_000

Array = np.ndarray
# Parameters → (mean log-likelihood per person, its slope by each parameter).
Likelihood = Callable[[Array], tuple[float, Array]]


class NoFit(ValueError):
    """There is no most likely model, or it tells nothing about the future. `about` says of what: orders or spend."""

    def __init__(self, about: str, why: str) -> None:
        super().__init__(why)
        self.about = about


@dataclass(frozen=True)
class Histories:
    """Buyers up to a moment; those with the same history are one row. Arrays of one length, times in weeks."""

    repeats: Array  # order days after the first
    recency: Array  # from the first order day to the last
    age: Array  # from the first order day to the moment
    people: Array


@dataclass(frozen=True)
class Buying:
    """A fitted model of how often people order. `log_likelihood` is that of everybody together."""

    variant: str
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    def alive(self, histories: Histories) -> Array:
        """The chance of each row that more orders can come. BG/NBD takes everybody who ordered once for alive."""
        start, may_be_gone = _chances(self.variant, self.b, histories.repeats)
        longer = np.log((self.alpha + histories.age) / (self.alpha + histories.recency))
        with np.errstate(divide="ignore", over="ignore"):
            odds = self.a / start * np.exp((self.r + histories.repeats) * longer)
        return np.where(may_be_gone, 1 / (1 + odds), 1.0)

    def orders(self, histories: Histories, weeks: float) -> Array:
        """Expected order days of one person of each row in the `weeks` that follow. Raises NoFit when numbers run away.

        The published formula has a 2F1 that overflows for frequent buyers and has no value at a = 1. This is the same as
        a sum of chances: that somebody who never leaves places a j-th order (negative binomial), and that the person
        has not left by then. Nothing is subtracted, so nothing is lost.
        """
        start, _ = _chances(self.variant, self.b, histories.repeats)
        rate, share = self.r + histories.repeats, weeks / (self.alpha + histories.age + weeks)
        orders, here = np.zeros(len(rate)), np.ones(len(rate))
        going = np.arange(len(rate))
        for j in range(1, MOST_ORDERS):
            placed = here[going] * betainc(j, rate[going], share[going])
            orders[going] += placed
            here[going] *= (start[going] + j) / (self.a + start[going] + j)
            # Beyond the orders that are likely, what is still missing shrinks by `share` with each more.
            going = going[
                ~(
                    (placed < TINY * (1 - share[going]))
                    & (j > rate[going] * weeks / (self.alpha + histories.age[going]))
                )
            ]
            if not len(going):
                break
        else:
            raise NoFit("orders", "somebody would order without end")
        expected = orders * self.alive(histories)
        if not np.all(np.isfinite(expected)):
            raise NoFit("orders", "expected orders are no numbers")
        return expected


@dataclass(frozen=True)
class Spending:
    """A fitted model of what an order comes to, in the unit of the money that it was fitted on."""

    p: float
    q: float
    v: float
    log_likelihood: float

    def average(self, repeats: Array, spend: Array, people: Array | int = 1) -> Array:
        """The expected spend of an order of somebody whose `repeats` order days came to `spend` together.

        Rows of several `people` with as many repeats: the sum of their expectations, from the sum of their spends.
        """
        return self.p * (self.v * people + spend) / (self.p * repeats + self.q - 1)


def fit_buying(histories: Histories, variant: str) -> Buying:
    """The most likely model of a variant. Raises NoFit."""
    people, total = histories.people, float(histories.people.sum())
    counts, place = np.unique(histories.repeats, return_inverse=True)
    weights = np.bincount(place, people)
    starts, may_be_gone = _chances(variant, 0.0, counts)

    def likelihood(values: Array) -> tuple[float, Array]:
        r, alpha, a, b = values
        start = starts + b
        told = gammaln(r + counts) - gammaln(r) + r * np.log(alpha)
        told += gammaln(a + b) + gammaln(start + 1) - gammaln(b) - gammaln(a + start + 1)
        rate = r + histories.repeats
        still = -rate * np.log(alpha + histories.age)
        with np.errstate(divide="ignore", invalid="ignore"):
            leaving = np.where(may_be_gone, np.log(a) - np.log(start), -np.inf)
        gone = leaving[place] - rate * np.log(alpha + histories.recency)
        with np.errstate(invalid="ignore"):
            either = np.logaddexp(still, gone)
        share = people * np.exp(gone - either)  # of the people of a row, those who are gone
        by_count = np.bincount(place, share)
        worth = weights @ told + people @ either
        slope = np.array(
            [
                weights @ (psi(r + counts) - psi(r) + np.log(alpha))
                - (people - share) @ np.log(alpha + histories.age)
                - share @ np.log(alpha + histories.recency),
                total * r / alpha
                - (people - share) @ (rate / (alpha + histories.age))
                - share @ (rate / (alpha + histories.recency)),
                weights @ (psi(a + b) - psi(a + start + 1)) + share.sum() / a,
                weights @ (psi(a + b) + psi(start + 1) - psi(b) - psi(a + start + 1))
                - (by_count[may_be_gone] / start[may_be_gone]).sum(),
            ]
        )
        return worth / total, slope / total

    (r, alpha, a, b), worth = _climb(
        "orders", likelihood, [1.0, float(np.average(histories.age, weights=people)) / 4, 1.0, 2.0]
    )
    return Buying(variant, r, alpha, a, b, worth * total)


def fit_spending(repeats: Array, spend: Array, people: Array) -> Spending:
    """The most likely model of what an order comes to, from repeat buyers whose repeat orders came to something.

    repeats: order days after the first; spend: what those came to; people: how many have both. Raises NoFit, also where
    spends differ so widely that their mean says nothing (q at or below 1).
    """
    total = float(people.sum())
    unit = float(people @ (spend / repeats)) / total
    spent = spend / unit
    mean = spent / repeats

    def likelihood(values: Array) -> tuple[float, Array]:
        p, q, v = values
        shape, reach = p * repeats, np.log(v + spent)
        worth = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v)
        worth += (shape - 1) * np.log(mean) + shape * np.log(repeats) - (shape + q) * reach
        slope = np.array(
            [
                people @ (repeats * (psi(shape + q) - psi(shape) + np.log(spent) - reach)),
                people @ (psi(shape + q) - psi(q) + np.log(v) - reach),
                people @ (q / v - (shape + q) / (v + spent)),
            ]
        )
        return float(people @ worth) / total, slope / total

    (p, q, v), worth = _climb("spend", likelihood, [2.0, 2.0, 1.0])
    if q <= 1:
        raise NoFit("spend", "spends differ so widely that they have no mean")
    return Spending(p, q, v * unit, worth * total - total * float(np.log(unit)))


def _chances(variant: str, b: float, repeats: Array) -> tuple[Array, Array]:
    """(b plus the chances to leave that a buyer has outlived, whether they had one at all) of each row."""
    if variant == "mbg":
        return b + repeats, np.full(len(repeats), True)
    return b + repeats - 1.0, repeats > 0


def _climb(about: str, likelihood: Likelihood, start: list[float]) -> tuple[list[float], float]:
    """(parameters, mean log-likelihood) at the top of the hill. Raises NoFit."""

    def downhill(logs: Array) -> tuple[float, Array]:
        values = np.exp(logs)
        worth, slope = likelihood(values)
        return -worth, -slope * values

    found = minimize(
        downhill,
        np.log(start),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-EDGE, EDGE)] * len(start),
        options={"maxiter": 1000, "maxfun": 3000, "ftol": 1e-15, "gtol": 1e-7},
    )
    slope = downhill(found.x)[1]
    inwards = np.where(found.x >= EDGE, np.maximum(slope, 0), np.where(found.x <= -EDGE, np.minimum(slope, 0), slope))
    # Whatever the optimiser says of itself: at the top no way leads further up.
    if not np.isfinite(found.fun) or not np.all(np.abs(inwards) < FLAT):
        raise NoFit(about, "the likelihood has no top")
    return [float(value) for value in np.exp(found.x)], -float(found.fun)
