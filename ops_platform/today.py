"""The home page in words: one verdict, at most two anomalies, three things to do, the figures of the day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ops_platform import buyer_pictures, names, numbers, pictures, selectors
from ops_platform.alerts import say_alerts
from ops_platform.links import builder_address, people_address
from segmentation.rfm_axes import axes_of
from workspaces.models import Workspace

# Up to so many people a product is still being tried out: single people say more than money.
FEW = 200


def read_today(workspace: Workspace) -> dict[str, Any]:
    """Everything the home page shows once a night has been published; about fifteen queries."""
    day = workspace.current_day
    assert day is not None
    address = people_address(workspace)
    boards = selectors.board_counts(day)
    totals, moves, risk = selectors.day_totals(day), selectors.moves_on(day), selectors.risk_by_group()
    moved = selectors.count_moves(moves, list(names.STAGES))
    stages = {key: row.people for key, row in boards["stage"].items()}
    return {
        "day": day,
        "finished": selectors.last_night(workspace),
        "verdict": few_verdict(stages, risk) if sum(stages.values()) <= FEW else verdict(workspace, moved, risk),
        "alerts": say_alerts(workspace, selectors.latest_night_day() or day),
        "anomalies": [say_anomaly(workspace, odd) for odd in selectors.anomalies(totals)],
        "todos": todos(workspace, day, risk, moved)[:3],
        "figures": figures(workspace, totals),
        "moved": moved_lines(moved, address, day),
        "campaigns": selectors.latest_campaigns(),
        "flow": pictures.flow(moves, stages, lambda **k: address(**k, on=day.isoformat()), "last-night", on_day(day)),
        "board": buyer_pictures.board(
            selectors.rfm_cells(), address, axes_of(workspace.rules), workspace.rules.rfm_best_group
        ),
        "risk": buyer_pictures.risk(risk, address, workspace),
    }


def on_day(day: date) -> str:
    return _("on %(on)s") % {"on": numbers.day(day)}


def people(count: int) -> str:
    return ngettext("%(n)s person", "%(n)s people", count) % {"n": numbers.number(count)}


def few_verdict(stages: dict[str, int], risk: list[dict[str, Any]]) -> str:
    """While there are few, each of them counts: who uses it again, who recommends it, whom to talk to."""
    start = _("Of %(people)s, %(again)s used it on more than one day and %(advocates)s recommend it") % {
        "people": people(sum(stages.values())),
        "again": numbers.number(selectors.repeat_users()),
        "advocates": numbers.number(stages.get("advocate", 0)),
    }
    slipping = sum(row["people"] for row in risk)
    if not slipping:
        return _("%(start)s; nobody is slipping.") % {"start": start}
    return _("%(start)s; %(n)s slipping: talk to them first.") % {"start": start, "n": numbers.number(slipping)}


def verdict(workspace: Workspace, moved: dict[str, int], risk: list[dict[str, Any]]) -> str:
    """The state of things in one sentence: who left, who is about to, what it costs, whom to call first."""
    slipping, money = sum(row["people"] for row in risk), sum(row["money_minor"] for row in risk)
    valuable = sum(row["valuable"] for row in risk)
    if not slipping:
        if not moved["churned"]:
            return _("Nobody churned yesterday and nobody is slipping.")
        return ngettext(
            "%(n)s person churned yesterday; nobody else is slipping.",
            "%(n)s people churned yesterday; nobody else is slipping.",
            moved["churned"],
        ) % {"n": numbers.number(moved["churned"])}
    start = ngettext(
        "%(churned)s churned yesterday and %(slipping)s is slipping",
        "%(churned)s churned yesterday and %(slipping)s are slipping",
        slipping,
    ) % {"churned": people(moved["churned"]), "slipping": people(slipping)}
    if not money:
        return _("%(start)s; none of them has spent anything yet.") % {"start": start}
    cost = _("%(start)s, which would cost %(money)s over 90 days") % {
        "start": start,
        "money": numbers.short_money(money, workspace),
    }
    if not valuable:
        return _("%(cost)s.") % {"cost": cost}
    return _("%(cost)s; begin with the %(n)s most valuable.") % {"cost": cost, "n": numbers.number(valuable)}


ODD = {
    "revenue_minor": lambda w, n: _("Revenue was %(now)s") % {"now": numbers.short_money(round(n), w)},
    "orders": lambda w, n: _("%(now)s orders came in") % {"now": numbers.number(n)},
    "active": lambda w, n: _("%(now)s people came") % {"now": numbers.number(n)},
    "joined": lambda w, n: _("%(now)s people were new") % {"now": numbers.number(n)},
}


def say_anomaly(workspace: Workspace, odd: dict[str, Any]) -> str:
    """A figure far from its four weeks, in words."""
    said = ODD[odd["key"]](workspace, odd["now"])
    share = numbers.percent(abs(odd["share"]), 0)
    if odd["share"] > 0:
        return _("%(said)s: %(share)s above the last four of this weekday.") % {"said": said, "share": share}
    return _("%(said)s: %(share)s below the last four of this weekday.") % {"said": said, "share": share}


# The rules behind two of the things to do, for the segment builder. They roll on with the days.
WITHOUT_SECOND = {
    "all": [
        {"kind": "fact", "fact": "orders", "compare": "exactly", "number": 1},
        {"kind": "fact", "fact": "first_order_on", "compare": "in_last", "days": 31},
        {"kind": "fact", "fact": "first_order_on", "compare": "not_in_last", "days": 7},
    ]
}
CHURNED_LATELY = {"kind": "stage", "stages": ["churned"], "days": 1}


def todos(workspace: Workspace, day: date, risk: list[dict[str, Any]], moved: dict[str, int]) -> list[dict[str, Any]]:
    """What to do today, the most money first: {title, people, money, reason, url, act, act_url}. Empty ones are left out."""
    address = people_address(workspace)
    valuable = {"people": sum(row["valuable"] for row in risk), "money": sum(row["valuable_minor"] for row in risk)}
    second = selectors.newcomers_without_second(day)
    rules = workspace.rules
    listed = [
        {
            "title": _("Hold on to valuable people who are slipping"),
            **valuable,
            "reason": _(
                "They order more often and spend more than average, and have been away for over %(share)s %% of their limit."
            )
            % {"share": rules.slipping_percent},
            "url": address(activity="slipping", bits=",".join(selectors.VALUABLE), sort="risk"),
            "act_url": builder_address(workspace, activity="slipping", bits=",".join(selectors.VALUABLE)),
        },
        {
            "title": _("Bring first-time buyers to a second order"),
            "people": second["people"],
            "money": second["money"],
            "reason": _("Their first order is 7 to 30 days old, and there has been none since."),
            "url": address(
                orders=1,
                first_order_from=(day - timedelta(days=30)).isoformat(),
                first_order_to=(day - timedelta(days=7)).isoformat(),
            ),
            "act_url": builder_address(workspace, definition=json.dumps(WITHOUT_SECOND)),
        },
        {
            "title": _("Welcome back those who returned"),
            "people": moved["returned"],
            "money": None,
            "reason": _("They had churned and came back yesterday; the next days decide whether they stay."),
            "url": address(moved="returned", on=day.isoformat()),
            "act_url": "",
        },
        {
            "title": _("Ask why they left"),
            "people": moved["churned"],
            "money": None,
            "reason": _("They had reached habit or beyond, and passed their limit yesterday."),
            "url": address(moved="churned", on=day.isoformat()),
            "act_url": builder_address(workspace, definition=json.dumps(CHURNED_LATELY)),
        },
    ]
    return [todo for todo in listed if todo["people"]]


def figures(workspace: Workspace, totals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The day's figures against the same weekday a week before."""
    address, now, before = people_address(workspace), totals[0], totals[1]
    day = now["day"].isoformat()
    return [
        {
            "label": _("People who came"),
            "value": numbers.short_number(now["active"]),
            "now": now["active"],
            "before": before["active"],
            "url": address(seen_on=day),
        },
        {
            "label": _("New people"),
            "value": numbers.short_number(now["joined"]),
            "now": now["joined"],
            "before": before["joined"],
            "url": address(joined_on=day),
        },
        {
            "label": _("Buyers"),
            "value": numbers.short_number(now["buyers"]),
            "now": now["buyers"],
            "before": before["buyers"],
            "url": address(ordered_on=day),
        },
        {
            "label": _("Orders"),
            "value": numbers.short_number(now["orders"]),
            "now": now["orders"],
            "before": before["orders"],
            "url": address(ordered_on=day, sort="orders"),
        },
        {
            "label": _("Revenue after refunds"),
            "value": numbers.short_money(now["revenue_minor"], workspace),
            "now": now["revenue_minor"],
            "before": before["revenue_minor"],
            "url": address(ordered_on=day, sort="spend"),
        },
    ]


def moved_lines(moved: dict[str, int], address: pictures.Address, day: date) -> list[dict[str, Any]]:
    """升降 in words, each with its people; the direction decides the arrow."""
    on = day.isoformat()
    lines = [
        {"label": _("climbed"), "people": moved["up"], "way": "up", "url": address(moved="up", on=on)},
        {"label": _("fell back"), "people": moved["down"], "way": "down", "url": address(moved="down", on=on)},
        {"label": _("churned"), "people": moved["churned"], "way": "down", "url": address(moved="churned", on=on)},
        {
            "label": _("returned"),
            "people": moved["returned"],
            "way": "up",
            "url": address(moved="returned", on=on),
        },
        {"label": _("joined"), "people": moved["joined"], "way": "up", "url": address(**{"from": "none", "on": on})},
    ]
    return lines
