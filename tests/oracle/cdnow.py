"""CDNOW, a tenth of its customers: 6,919 real orders of 2,357 people, as exported rows would tell them.

The file ships with the `lifetimes` distribution and is read as a file; that package is not imported.
"""

from __future__ import annotations

import importlib.util
import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

LAST_DAY = date(1998, 6, 30)


def path_of(name: str) -> Path:
    """Where CDNOW_sample.txt or CDNOW_master.txt lies. Raises FileNotFoundError when `lifetimes` is not installed."""
    spec = importlib.util.find_spec("lifetimes")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the distribution lifetimes (requirements/data.txt) is not installed")
    return Path(spec.submodule_search_locations[0]) / "datasets" / name


def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    """(events, people): one `Order Completed` a row at noon UTC with total in dollars and no order id.

    The file's columns are: id in the full set, id in the sample (ours), day as yyyymmdd, CDs, dollars.
    """
    names = ["master_id", "sample_id", "day", "cds", "dollars"]
    sample = pd.read_csv(path_of("CDNOW_sample.txt"), sep=r"\s+", header=None, names=names, dtype=str)
    ids = sample["sample_id"].astype(int).astype(str)
    at = sample["day"].str.replace(r"(\d{4})(\d\d)(\d\d)", r"\1-\2-\3T12:00:00.000000+00:00", regex=True)
    properties = [
        json.dumps({"total": float(dollars), "currency": "USD", "cds": int(cds)})
        for dollars, cds in zip(sample["dollars"], sample["cds"], strict=True)
    ]
    events = pd.DataFrame(
        {
            "external_id": ids,
            "event": "Order Completed",
            "at": at,
            "message_id": [f"cdnow-{line:05d}" for line in range(1, len(sample) + 1)],
            "properties": properties,
        }
    )
    first = events.groupby("external_id", sort=False)["at"].min()
    people = pd.DataFrame({"external_id": first.index, "created_at": first.to_numpy(), "excluded": "0"})
    return events, people.assign(attributes="{}")


def settings(**changes: Any) -> dict[str, Any]:
    """The `ecommerce` preset in USD and UTC, with whatever else a test wants changed."""
    order = ["Order Completed"]
    roles = {"core": order, "habit": [], "order": order, "refund": ["Order Refunded"], "pay": [], "passive": []}
    return {
        "zone": "UTC",
        "currency": "USD",
        "roles": roles,
        "habit_days": 3,
        "habit_window": 90,
        "churn": {"rule": "personal", "n": 60, "min": 14, "max": 180, "slipping_share": 0.6},
        "rfm_window": 365,
        "pay_stage": False,
        **changes,
    }
