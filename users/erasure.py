"""Erasing a person: everything held about them goes, in steps that may be killed and run twice (docs/decisions/007).

The first step makes their ids strangers: the rows of end_user go and marks are left in one transaction, so whatever is sent
from then on is not kept. The other steps empty the tables. What was on its way in that moment is found by a second pass,
some minutes later; only then is the erasure done, and its own row says nothing any more.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from users.erasure_about import About, about_whom
from users.erasure_marks import mark_erased, readmit
from users.export_run import forget_in_exports
from users.identity import ON_THE_WAY, ids_of, lock, merge_pending
from users.imports import ACTIVE
from users.models import EndUser, Erasure, Event, Import, PersonNews
from users.night import is_night
from users.person_model import PersonModel
from users.person_tables import erase_by_hand, registered
from users.services import in_scope
from users.traits import region_of
from workspaces.errors import Conflict
from workspaces.models import Operator, Workspace
from workspaces.services import audit
from workspaces.sql import run_sql

CHUNK = 20_000
# The first pass, and the second.
AFTER = {"first": "settling", "second": "done"}


# A step changes what it finds and returns how many rows that were; it is run again while that is a full chunk.
Step = Callable[[About], int]


def ask_erasure(person: EndUser, by: Operator | None = None) -> Erasure:
    """Leave the request to erase a person, in the open scope; asked twice, it is one. The worker does the rest."""
    owner = person.merged_into or person.pk
    erasure, new = Erasure.objects.get_or_create(person_id=owner, defaults={"asked_by": by.pk if by else None})
    if new:
        audit("people.erase", str(erasure.pk), by)
    return erasure


def is_being_erased(person: EndUser) -> bool:
    return Erasure.objects.filter(person_id=person.pk).exists()


def readmit_id(external_id: str, by: Operator | None = None) -> bool:
    """Take an erased id in again, as a new person of whom nothing is known; False when it was not kept out.

    Raises Conflict while the erasure is at work: its second pass would delete what is sent meanwhile.
    """
    open_ones = Erasure.objects.exclude(about=None).values_list("about", flat=True)
    if any(external_id in msgspec.convert(about, About).external_ids for about in open_ones):
        raise Conflict("being_erased", _("This person is still being erased. Let the ID in when that is done."))
    done = readmit(external_id)
    if done:
        audit("people.readmit", "", by)
    return done


def due_erasures(now: datetime) -> list[uuid.UUID]:
    """Erasures with something to do, in the open scope, the oldest first."""
    open_ones = Erasure.objects.exclude(state="done").exclude(state="settling", settles_at__gt=now)
    return list(open_ones.order_by("asked_at").values_list("pk", flat=True))


def run_erasure(workspace: Workspace, pk: uuid.UUID, now: datetime | None = None) -> None:
    """Work on an erasure until it is done or has to wait, a transaction per step."""
    # Whoever logged in a moment ago is theirs as well.
    merge_pending(workspace, strays=False)
    while in_scope(workspace, partial(do_step, workspace, pk, now)):
        pass


def do_step(workspace: Workspace, pk: uuid.UUID, now: datetime | None = None) -> bool:
    """The next step of an erasure, in the open scope; False when there is none now. One worker at a time."""
    now = now or timezone.now()
    mine = Erasure.objects.select_for_update(skip_locked=True).filter(pk=pk)
    erasure = mine.exclude(state="done").exclude(state="settling", settles_at__gt=now).first()
    if erasure is None:
        return False
    if erasure.state == "due":
        return begin(workspace, erasure)
    if erasure.state == "settling":
        # A file that is being read, and a night that began before, may still write of the person.
        busy = Import.objects.filter(state__in=ACTIVE).exists() or is_night(workspace)
        return not busy and bool(mine.update(state="second", step=0))
    steps, about = all_steps(), msgspec.convert(erasure.about, About)
    if erasure.step >= len(steps):
        return end_pass(erasure, now)
    rows = steps[erasure.step](about)
    Erasure.objects.filter(pk=pk).update(rows=F("rows") + rows, step=F("step") + int(rows < CHUNK))
    return True


def begin(workspace: Workspace, erasure: Erasure) -> bool:
    """Make the person a stranger: remember whom to look for, leave the marks, delete who they were."""
    lock(workspace)
    assert erasure.person_id is not None
    found = EndUser.objects.filter(pk=erasure.person_id).first()
    # Merged since it was asked: it is about all of whom they turned out to be.
    owner = EndUser.objects.filter(pk=found.merged_into).first() if found and found.merged_into else found
    people = ids_of(owner) if owner else []
    about = about_whom(people, region_of(workspace.currency)) if people else About([erasure.person_id])
    mark_erased(about.external_ids)
    gone = EndUser.objects.filter(pk__in=about.ids)._raw_delete("default")
    Erasure.objects.filter(pk=erasure.pk).update(
        state="first", step=0, about=msgspec.to_builtins(about), rows=F("rows") + gone
    )
    return True


def end_pass(erasure: Erasure, now: datetime) -> bool:
    """The first pass is followed by a wait, the second by nothing: then the row forgets whom it was about."""
    values: dict[str, Any] = {"state": AFTER[erasure.state], "settles_at": now + ON_THE_WAY}
    if erasure.state == "second":
        values |= {"person_id": None, "about": None, "settles_at": None, "finished_at": now}
    Erasure.objects.filter(pk=erasure.pk).update(**values)
    return False


def all_steps() -> list[Step]:
    """What a pass does, in this order: what apps do by hand, files, then table by table."""
    tables = registered().items()
    steps: list[Step] = [*erase_by_hand(), lambda about: forget_in_exports(about.texts)]
    steps += [partial(delete_rows, model) for model, table in tables if table.on_erase == "goes"]
    steps += [partial(give_to_nobody, model, table.blank) for model, table in tables if table.on_erase == "nobody"]
    return steps


def delete_rows(model: type[PersonModel], about: About) -> int:
    if model is Event:
        ids, former = (list(map(str, some)) for some in (about.ids, about.former))
        return run_sql("users/erase_events", ids=ids, former=former, most=CHUNK)[0]["rows"]
    column = "pk__in" if model is EndUser else "end_user__in"
    return model.objects.filter(**{column: about.ids})._raw_delete("default")


def give_to_nobody(model: type[PersonModel], blank: dict[str, Any], about: About) -> int:
    """Rows that count on, each table's under a random id of its own: what remains of a person is not one story."""
    moved = 0
    for pk in about.ids:
        nobody = uuid.uuid4()
        rows = model.objects.filter(end_user=pk).update(end_user_id=nobody, **blank)
        if rows:
            # The next night tells that whoever this was left.
            PersonNews.objects.create(people=[nobody])
        moved += rows
    return moved
