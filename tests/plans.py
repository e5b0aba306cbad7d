"""What a statement really read, by the plan that `explain (analyze, format json)` tells."""

from __future__ import annotations

from typing import Any


def rows_read(node: dict[str, Any], table: str) -> float:
    """Rows that a plan took from a table, used or not."""
    own = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    found = own * node["Actual Loops"] if node.get("Relation Name") == table else 0
    return found + sum(rows_read(child, table) for child in node.get("Plans", ()))
