"""Pictures of churn: what became of warnings, and who loses more people than the rest. Pure: rows in, a dict out."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _

from lifecycle.models import FlagAudit
from ops_platform import numbers
from ops_platform.pictures import Address, Picture
from ops_platform.snapshots import AUDIT_DAYS

COLORS = ("accent", "stage-use", "stage-paying")


def audit_lines(audits: list[FlagAudit], address: Address) -> Picture:
    """误判率 by night: of those newly dormant 7, 14 and 30 days before, the share seen again; every point opens them."""
    rows_of: dict[date, dict[int, FlagAudit]] = {}
    for row in audits:
        if row.activity == "dormant":
            rows_of.setdefault(row.day, {})[row.after_days] = row
    rows, urls = [], []
    for day, found in rows_of.items():
        told = [found.get(days) for days in AUDIT_DAYS]
        shares = [row.seen_again / row.flagged if row else None for row in told]
        counts = [f"{numbers.number(row.seen_again)} / {numbers.number(row.flagged)}" if row else "" for row in told]
        rows.append([day.isoformat(), *shares, *counts])
        links = [
            address(flag="dormant", on=(day - timedelta(days=days)).isoformat()) if row else ""
            for days, row in zip(AUDIT_DAYS, told, strict=True)
        ]
        urls.append([*links, *links])
    latest = next((row for row in reversed(audits) if row.activity == "dormant"), None)
    sentence = ""
    if latest:
        sentence = _(
            "Of %(flagged)s people who became dormant on %(day)s, %(again)s came by themselves within %(days)s days (%(share)s)."
        ) % {
            "flagged": numbers.number(latest.flagged),
            "day": numbers.day(latest.day - timedelta(days=latest.after_days)),
            "again": numbers.number(latest.seen_again),
            "days": latest.after_days,
            "share": numbers.percent(latest.seen_again / latest.flagged),
        }
    return {
        "kind": "lines",
        "name": "false-churn",
        "title": _("Were the warnings right?"),
        "sentence": sentence,
        "columns": [
            {"label": _("Day")},
            *(
                {"label": _("back within %(days)s d") % {"days": days}, "unit": "percent", "color": color}
                for days, color in zip(AUDIT_DAYS, COLORS, strict=True)
            ),
            *({"label": _("of flagged, %(days)s d") % {"days": days}} for days in AUDIT_DAYS),
        ],
        "series": len(AUDIT_DAYS),
        "rows": rows,
        "urls": urls,
        "floor": 0,
        "empty": {
            "title": _("No warning is old enough yet"),
            "text": _(
                "Seven days after the first people became dormant, this shows how many of them came back by themselves."
            ),
        },
    }


def compared(kind: str, rows: list[dict[str, Any]], first: date, last: date, address: Address) -> Picture:
    """Versions or sources against the rest of the cohort: the difference of the share that did not come again."""
    span = {"seen_from": first.isoformat(), "seen_to": last.isoformat()}
    title = {"version": _("Churn by app version"), "source": _("Churn by source")}[kind]
    worse = [row for row in rows if row["low"] > 0]
    sentence = _("No one differs clearly from the rest.")
    if worse:
        most = max(worse, key=lambda row: row["difference"])
        sentence = _(
            "%(name)s: %(share)s of %(people)s people did not come again within 30 days, %(points)s points more than of the rest."
        ) % {
            "name": most["key"] or _("unknown"),
            "share": numbers.percent(most["share"]),
            "people": numbers.number(most["people"]),
            "points": numbers.number(most["difference"] * 100, 1),
        }
    return {
        "kind": "dots",
        "name": f"churn-by-{kind}",
        "title": title,
        "sentence": sentence if rows else "",
        "columns": [
            {"label": {"version": _("Version"), "source": _("Source")}[kind]},
            {"label": _("Against the rest"), "unit": "percent"},
            {"label": _("Lower bound"), "unit": "percent"},
            {"label": _("Upper bound"), "unit": "percent"},
            {"label": _("Not again in 30 days"), "unit": "percent"},
            {"label": _("Came then"), "unit": "people"},
            {"label": _("Of them not again"), "unit": "people"},
        ],
        "rows": [
            [
                row["key"] or _("unknown"),
                row["difference"],
                row["low"],
                row["high"],
                row["share"],
                row["people"],
                row["gone"],
            ]
            for row in rows
        ],
        "urls": [address(**{kind_of(kind): row["key"] or numbers.UNKNOWN}, **span, lost=1) for row in rows],
        "colors": [tone(row) for row in rows],
        "empty": {
            "title": _("Too few people to compare"),
            "text": _("This compares people who came between 60 and 30 days ago, from 30 on per group."),
        },
    }


def kind_of(kind: str) -> str:
    """The parameter of the people list."""
    return {"version": "seen_version", "source": "source"}[kind]


def tone(row: dict[str, Any]) -> str:
    if row["low"] > 0:
        return "activity-dormant"
    return "activity-active" if row["high"] < 0 else "control"
