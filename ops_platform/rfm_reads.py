"""Reads for the RFM page: who moved between groups from one day to another, and how far everybody is from the target."""

from __future__ import annotations

from typing import Any

from ops_platform.tier_reads import summed
from segmentation.rfm import GROUPS
from segmentation.rfm_gap import points_to


def toward(moves: list[dict[str, Any]], best: str) -> dict[str, int] | None:
    """{nearer, farther}: people whose group came nearer to the target group, or went away from it; None without a group."""
    if best not in GROUPS or not GROUPS[best].cells:
        return None
    sums = {"nearer": 0, "farther": 0}
    for move in moves:
        was, now = (_steps(move[end], best) for end in ("from_group", "to_group"))
        if was is not None and now is not None and was != now:
            sums["nearer" if now < was else "farther"] += move["people"]
    return sums


def _steps(group: str, best: str) -> int | None:
    """Points from the nearest cell of a group to the nearest one of the target; None for a group without cells."""
    cells = GROUPS[group].cells if group in GROUPS else ()
    ways = [abs(r - to_r) + abs(f - to_f) for r, f in cells for to_r, to_f in GROUPS[best].cells]
    return min(ways, default=None)


def distances(alike: list[dict[str, Any]], best: str) -> list[dict[str, Any]]:
    """{points, people, share, money_minor} from the target outwards; empty where the target has no place."""
    found = summed(alike, lambda row: points_to(best, row["r_score"], row["f_score"], row["bits"]))
    total = sum(row["people"] for row in alike)
    return [
        {"points": points, **row, "share": row["people"] / total}
        for points, row in sorted((points, row) for points, row in found.items() if points is not None)
    ]
