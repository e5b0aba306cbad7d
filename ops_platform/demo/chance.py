"""Small seeded draws that the chapters share."""

from __future__ import annotations

import numpy as np


def pick(rng: np.random.Generator, weights: np.ndarray, count: int) -> np.ndarray:
    """Sorted indices of `count` entries drawn without replacement, in proportion to `weights`; zeros never."""
    open_to = np.flatnonzero(weights > 0)
    keys = np.log(weights[open_to]) + rng.gumbel(size=open_to.size)
    count = min(count, open_to.size)
    return np.sort(open_to[np.argsort(-keys, kind="stable")[:count]])


def pick_rows(rng: np.random.Generator, weights: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row of `weights`, `counts[row]` distinct columns in proportion to them. Returns (rows, columns)."""
    with np.errstate(divide="ignore"):
        keys = np.log(weights) + rng.gumbel(size=weights.shape)
    order = np.argsort(-keys, axis=1, kind="stable")
    allowed = np.minimum(counts, (weights > 0).sum(axis=1))
    taken = np.arange(weights.shape[1])[None, :] < allowed[:, None]
    rows, ranks = np.nonzero(taken)
    return rows, order[rows, ranks]


def shuffle_shares(rng: np.random.Generator, size: int, shares: np.ndarray) -> np.ndarray:
    """`size` labels 0..k-1 whose counts follow `shares` as exactly as whole people allow, in random order."""
    bounds = np.round(np.cumsum(shares) / shares.sum() * size).astype(int)
    return rng.permutation(np.searchsorted(bounds, np.arange(size), side="right"))


def rake(weights: np.ndarray, row_sums: np.ndarray, column_sums: np.ndarray, rounds: int = 25) -> np.ndarray:
    """Iterative proportional fitting: `weights` (rows × days) scaled towards both sums; zeros stay zero."""
    fitted = weights.astype(np.float64)
    for _ in range(rounds):
        columns = fitted.sum(axis=0)
        fitted *= np.divide(column_sums, columns, out=np.zeros_like(columns), where=columns > 0)[None, :]
        rows = fitted.sum(axis=1)
        fitted *= np.divide(row_sums, rows, out=np.zeros_like(rows), where=rows > 0)[:, None]
    return fitted
