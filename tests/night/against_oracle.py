"""What the product holds about a workspace, brought into the shape of the oracle: rows in, numbers out.

`python -m tests.night.against_oracle SLUG` holds every number of everybody in a workspace that is there against the oracle,
as of its published day, and says where they differ.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, date
from typing import Any

import django
import pandas as pd

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ops_platform.settings")
    django.setup()

from lifecycle.models import Standing
from segmentation.models import RfmScore
from segmentation.rfm_axes import axes_of
from tests.oracle.compare import differences
from tests.oracle.definitions import compute
from users.models import EndUser, Event, EventName, Facts
from workspaces.models import Workspace
from workspaces.rules import ROLES
from workspaces.scoping import workspace_scope

# Oracle column → column of the facts table, where the names differ.
RENAMED = {"visits_all": "visits", "active_days_all": "active_days"}
FACT_COLUMNS = (
    "first_seen_on last_seen_on registered_on first_order_on last_order_on last_core_on orders revenue_minor visits_7 visits_30"
    " visits_90 visits_all active_days_7 active_days_30 active_days_90 active_days_all core_days gap_median gap_p90"
    " recommendations favourite_hour favourite_weekday favourite_category app_version average_order_minor"
).split()
# What is scored, whatever the axes are.
MEASURES = ("r_days", "f_orders", "m_minor")
RFM_COLUMNS = {
    **{column: column for column in ("r_score", "f_score", "m_score")},
    "rfm_group": "group",
    "rfm_bits": "bits",
}


def stored_rows(workspace: Workspace) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(events, people) of the workspace as its exports would hold them."""
    with workspace_scope(workspace):
        names = dict(EventName.objects.values_list("pk", "name"))
        ids = dict(EndUser.objects.values_list("pk", "external_id"))
        merged = EndUser.objects.filter(identified=True, merged_into__isnull=False)
        aliases = {one.external_id: ids[one.merged_into] for one in merged}
        events = [
            (
                ids[who],
                names[name],
                at.astimezone(UTC).isoformat(timespec="microseconds"),
                message_id,
                json.dumps(renamed(properties, aliases)),
            )
            for who, name, at, message_id, properties in Event.objects.values_list(
                "end_user_id", "name_id", "at", "message_id", "properties"
            )
        ]
        people = [
            (
                person.external_id,
                person.created_at.astimezone(UTC).isoformat(),
                str(int(person.excluded or not person.identified)),
                json.dumps(
                    renamed(
                        person.attributes | ({"referred_by": person.referred_by} if person.referred_by else {}), aliases
                    )
                ),
            )
            for person in EndUser.objects.filter(merged_into=None)
        ]
    columns = ["external_id", "event", "at", "message_id", "properties"]
    people_columns = ["external_id", "created_at", "excluded", "attributes"]
    return pd.DataFrame(events, columns=columns, dtype=object), pd.DataFrame(
        people, columns=people_columns, dtype=object
    )


def renamed(told: dict[str, Any], aliases: dict[str, str]) -> dict[str, Any]:
    """Properties with an inviter who was merged under the id that remains."""
    inviter = told.get("referred_by")
    return told | {"referred_by": aliases[inviter]} if isinstance(inviter, str) and inviter in aliases else told


def settings_of(workspace: Workspace) -> dict[str, Any]:
    """The workspace's rules and event roles in the oracle's words."""
    rules = workspace.rules
    with workspace_scope(workspace):
        roles = {
            role: list(EventName.objects.filter(**{f"is_{role}": True}).values_list("name", flat=True))
            for role in ROLES
        }
    return {
        "zone": workspace.zone,
        "currency": workspace.currency,
        "roles": roles,
        "habit_days": rules.habit_days,
        "habit_window": rules.habit_window,
        "churn": {
            "rule": rules.limit_rule,
            "n": rules.limit_days,
            "min": rules.limit_min,
            "max": rules.limit_max,
            "slipping_share": f"{rules.slipping_percent}/100",
            "balance_attribute": rules.balance_attribute,
            "balance_floor": rules.balance_floor,
        },
        "rfm_window": rules.rfm_window,
        "rfm_axes": [{ours: theirs for theirs, ours in RENAMED.items()}.get(key, key) for key in rules.rfm_axes],
        "pay_stage": rules.pay_stage,
        "recommendation_days": rules.recommendation_days,
        "subsidy": {"share": f"{rules.subsidy_percent}/100"},
    }


def told(workspace: Workspace, day: date) -> pd.DataFrame:
    """What the product says of everybody, as text under the oracle's column names."""
    with workspace_scope(workspace):
        ids = dict(EndUser.objects.values_list("pk", "external_id"))
        standing = {row["end_user_id"]: row for row in Standing.objects.values()}
        scores = {row["end_user_id"]: row for row in RfmScore.objects.values()}
        rows = []
        for facts in Facts.objects.values():
            row = {column: facts[RENAMED.get(column, column)] for column in FACT_COLUMNS}
            row["coupon_share"] = None if facts["coupon_percent"] is None else facts["coupon_percent"] / 100
            place = standing[facts["end_user_id"]]
            row |= {"stage": place["stage"], "churn": place["activity"], "limit_days": place["limit_days"]}
            row["idle_days"] = max((day - place["idle_from"]).days, 0)
            score = scores.get(facts["end_user_id"], {})
            values = [score.get(column) for column in ("r_value", "f_value", "m_value")]
            for axis, column, value in zip(axes_of(workspace.rules), MEASURES, values, strict=True):
                row[column] = None if value is None else axis.measure(value, day)
            row |= {column: score.get(attribute) for column, attribute in RFM_COLUMNS.items()}
            rows.append(
                {"external_id": ids[facts["end_user_id"]], **{k: "" if v is None else str(v) for k, v in row.items()}}
            )
    return pd.DataFrame(rows)


def departures(workspace: Workspace, day: date) -> pd.DataFrame:
    """Where the product departs from the oracle on a day; empty when they agree on every column of everybody."""
    expected = compute(*stored_rows(workspace), settings_of(workspace), day)
    # The product keeps the share as per cent with two decimals.
    actual = told(workspace, day)
    assert set(expected.columns) <= set(actual.columns)
    found = differences(expected, actual, [c for c in expected.columns if c != "coupon_share"])
    shares = pd.to_numeric(actual.set_index("external_id")["coupon_share"]).reindex(expected.index)
    off = (shares - expected["coupon_share"]).abs().gt(0.00005001) | (shares.isna() != expected["coupon_share"].isna())
    more = pd.DataFrame({"external_id": expected.index[off], "column": "coupon_share"})
    return pd.concat([found, more], ignore_index=True)


def main() -> None:
    workspace = Workspace.objects.get(slug=sys.argv[1])
    assert workspace.current_day, "It has had no night yet."
    found = departures(workspace, workspace.current_day)
    with workspace_scope(workspace):
        people = Facts.objects.count()
    print(f"{workspace.slug} {workspace.current_day}: {people:,} people, {len(found)} numbers differ")
    if len(found):
        sys.exit(found.to_string(max_rows=40))


if __name__ == "__main__":
    main()
