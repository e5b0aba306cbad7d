"""Every id of a person: since when and why each belongs to them, and what was taken back."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from users.identity import can_undo, ids_of
from users.models import EndUser, IdentityMerge
from workspaces.models import Operator


@dataclass(frozen=True)
class Id:
    """One line of the card. `ended_at` is set for an id that belonged to the person once."""

    pk: uuid.UUID
    external_id: str
    visitor: bool
    merged_at: datetime | None = None
    why: str = ""
    can_undo: bool = False
    ended_at: datetime | None = None
    undone: bool = False


def read_ids(person: EndUser) -> list[Id]:
    """The id that remains, those merged into it, and last those that are so no longer."""
    logs = list(IdentityMerge.objects.filter(into_id=person.pk).order_by("-at")[:200])
    stands = {log.end_user_id: log for log in logs if log.ended_at is None}
    names = operator_names(logs)
    lines = []
    for one in ids_of(person):
        log = stands.get(one.pk)
        why = reason(log, names) if log else ""
        at = log.at if log else None
        lines.append(Id(one.pk, one.external_id, not one.identified, at, why, bool(log and can_undo(log))))
    ended = {log.end_user_id: log for log in reversed(logs) if log.ended_at and log.end_user_id not in stands}
    for one in EndUser.objects.filter(pk__in=list(ended)).order_by("external_id"):
        log = ended[one.pk]
        undone = log.undone_by is not None
        lines.append(
            Id(
                one.pk,
                one.external_id,
                not one.identified,
                log.at,
                ended_words(log, names),
                False,
                log.ended_at,
                undone,
            )
        )
    return lines


def operator_names(logs: list[IdentityMerge]) -> dict[uuid.UUID, str]:
    ids = {pk for log in logs for pk in (log.merged_by, log.undone_by) if pk}
    return {one.pk: one.name or one.email for one in Operator.objects.filter(pk__in=ids)} if ids else {}


def reason(log: IdentityMerge, names: dict[uuid.UUID, str]) -> str:
    """Why an id belongs to a person, in words."""
    if log.merged_by:
        return _("merged by %(who)s") % {"who": names.get(log.merged_by, "")}
    link = next(iter(log.why), None)
    if link is None:
        return ""
    if link["kind"] == "login":
        return _("%(visitor)s logged in as %(user)s") % {"visitor": link["previous"], "user": link["person"]}
    return _("a message said that %(previous)s is %(person)s now") % link


def ended_words(log: IdentityMerge, names: dict[uuid.UUID, str]) -> str:
    if log.undone_by:
        return _("taken back by %(who)s") % {"who": names.get(log.undone_by, "")}
    return _("belongs to somebody else, as was told later")
