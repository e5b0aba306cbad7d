"""The matrix of who went from where to where between two days. Every number in it opens its people."""

from __future__ import annotations

from datetime import date
from typing import Any

from ops_platform import names, tier_reads
from ops_platform.links import people_address
from ops_platform.tier_days import MOVES
from ops_platform.tier_parts import address_on
from workspaces.models import Workspace

# The columns that the moves of a board begin and end in.
ENDS = {"stage": ("from_stage", "to_stage"), "rfm": ("from_group", "to_group")}


def move_matrix(
    workspace: Workspace, kind: str, moves: list[dict[str, Any]], after: dict[str, int], since: date, until: date
) -> dict[str, Any]:
    """{kind, rows, totals}: tier_reads.flow_matrix with the totals of its columns, and the address of each number.

    Whoever is in a row stood there at the end of the first day, whoever is in a column at the end of the last.
    """
    rows = tier_reads.flow_matrix(moves, after, tuple(names.KINDS[kind]), ENDS[kind])
    source, target = MOVES[kind]
    stood, stand = address_on(workspace, since), address_on(workspace, until)
    span = {"since": since.isoformat(), "on": until.isoformat()}
    write = people_address(workspace)
    for row in rows:
        before = row["key"] or "none"
        row["url"] = stood(**{kind: before}) if row["key"] else write(**{source: before}, **span)
        for cell in row["cells"]:
            cell["url"] = write(**{source: before, target: cell["key"] or "none"}, **span)
    totals = [
        {
            "people": sum(cell["people"] for cell in column),
            "url": stand(**{kind: key}) if (key := column[0]["key"]) else write(**{target: "none"}, **span),
        }
        for column in zip(*(row["cells"] for row in rows), strict=True)
    ]
    return {"kind": kind, "rows": rows, "totals": totals}
