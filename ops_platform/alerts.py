"""What operators are told about nights without asking: one is late or failed, or a count jumped from one to the next.

An alert is a row, so it is told once: on the pages as long as its day is shown, and by mail to admins and owners.
"""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Max
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.models import DayCount
from ops_platform import names, numbers
from ops_platform.links import people_address
from ops_platform.models import Alert, Night
from workspaces.models import Membership, Workspace
from workspaces.permissions import ADMIN, OWNER
from workspaces.scoping import workspace_scope
from workspaces.sql import database_now

logger = logging.getLogger(__name__)
# A group of three that becomes five has not jumped.
LEAST_DIFFERENCE = 50
EVERYBODY = "people"
# Boards of `day_count`: which kind of name their keys have, and the condition of the people list.
BOARDS = {"stage": ("stage", "stage"), "activity": ("activity", "activity"), "rfm": ("rfm", "rfm")}


def note_jumps(workspace: Workspace, day: date) -> list[Alert]:
    """Compare a published day's counts with those of the day before that, and keep what jumped; in the open scope."""
    before = DayCount.objects.filter(day__lt=day).aggregate(day=Max("day"))["day"]
    if before is None:
        return []
    found = jumps(counts_of(before), counts_of(day), workspace.rules.jump_percent)
    rows = [
        Alert(workspace=workspace, day=day, kind="jump", key=key, before=was, now=now, created_at=database_now())
        for key, was, now in found
    ]
    # A day computed again is judged again; what was mailed is not mailed twice.
    Alert.objects.filter(day=day, kind="jump").exclude(key__in=[row.key for row in rows]).delete()
    return Alert.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["workspace", "day", "kind", "key"],
        update_fields=["before", "now"],
    )


def counts_of(day: date) -> dict[str, int]:
    """People per board:key at the end of a day, and of everybody."""
    rows = DayCount.objects.filter(day=day, board__in=BOARDS)
    counts = {f"{row.board}:{row.key}": row.people for row in rows}
    counts[EVERYBODY] = sum(people for key, people in counts.items() if key.startswith("stage:"))
    return counts


def jumps(before: dict[str, int], now: dict[str, int], percent: int) -> list[tuple[str, int, int]]:
    """Pure: (key, before, now) of counts that differ by more than the bound, the furthest first."""
    both = [(key, before.get(key, 0), now.get(key, 0)) for key in {**before, **now}]
    far = [
        (key, was, people)
        for key, was, people in both
        if abs(people - was) >= LEAST_DIFFERENCE and abs(people - was) * 100 > percent * was
    ]
    return sorted(far, key=lambda row: (-abs(row[2] - row[1]), row[0]))


def note_late(workspace: Workspace, day: date) -> None:
    """Keep that the night of a day is late, or has failed; in the open scope."""
    failed = Night.objects.filter(day=day, state="failed").exists()
    Alert.objects.get_or_create(workspace=workspace, day=day, kind="failed" if failed else "late", key="")


def say_alerts(workspace: Workspace, day: date) -> list[dict[str, Any]]:
    """Alerts about a day in words, the gravest first: {text, url, label}; in the open scope.

    That it was late is no news once it is there.
    """
    open_ones = Alert.objects.filter(day=day)
    if workspace.current_day is not None and workspace.current_day >= day:
        open_ones = open_ones.filter(kind="jump")
    rows = sorted(open_ones, key=lambda row: (row.kind == "jump", -abs(row.now - row.before), row.key))
    return [say(workspace, row) for row in rows]


def say(workspace: Workspace, alert: Alert) -> dict[str, Any]:
    if alert.kind != "jump":
        text = (
            _("The daily update for %(day)s failed.")
            if alert.kind == "failed"
            else _("The daily update for %(day)s is late.")
        )
        shown = _("The pages still show %(shown)s.") % {"shown": numbers.day(workspace.current_day)}
        url = reverse("nights:list", args=[workspace.slug])
        return {"text": f"{text % {'day': numbers.day(alert.day)}} {shown}", "url": url, "label": _("Daily update")}
    board, _colon, key = alert.key.partition(":")
    kind, condition = BOARDS.get(board, ("", ""))
    about = {condition: key} if kind else {}
    if kind and workspace.current_day and alert.day < workspace.current_day:
        about["as_of"] = alert.day.isoformat()
    words = {
        "name": names.label(kind, key) if kind else _("All users"),
        "now": ngettext("%(n)s person", "%(n)s people", alert.now) % {"n": numbers.number(alert.now)},
        "before": numbers.number(alert.before),
        "share": numbers.percent(abs(alert.now - alert.before) / alert.before, 0) if alert.before else "",
    }
    if not alert.before:
        text = _("%(name)s: %(now)s, nobody the night before.")
    elif alert.now > alert.before:
        text = _("%(name)s: %(now)s, %(share)s more than the night before (%(before)s).")
    else:
        text = _("%(name)s: %(now)s, %(share)s fewer than the night before (%(before)s).")
    return {"text": text % words, "url": people_address(workspace)(**about), "label": _("See the people")}


def mail_alerts(workspace: Workspace) -> int:
    """Mail what has not been mailed yet to admins and owners, one mail each; returns how many alerts. Opens its own scopes."""
    with workspace_scope(workspace):
        fresh = list(Alert.objects.select_for_update().filter(mailed_at=None).order_by("day", "kind", "key"))
        Alert.objects.filter(mailed_at=None).update(mailed_at=database_now())
        members = Membership.objects.filter(role__in=[ADMIN, OWNER], operator__is_active=True)
        readers = [member.operator for member in members.select_related("operator")]
    for reader in readers if fresh else []:
        with translation.override(reader.language or settings.LANGUAGE_CODE):
            subject = _("%(workspace)s: something about the daily update") % {"workspace": workspace.name}
            lines = [
                f"{told['text']}\n{settings.BASE_URL}{told['url']}" for told in (say(workspace, row) for row in fresh)
            ]
        try:
            send_mail(subject, "\n\n".join(lines), None, [reader.email])
        except OSError:
            logger.exception("Alerts of %s could not be mailed", workspace.slug)
    return len(fresh)
