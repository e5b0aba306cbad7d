"""A change of settings that moves people: who would move, from where to where, and then the change itself.

Preview and apply are one function, `_decide`: it stores the settings and runs the night's own steps in one transaction.
The apply commits it; the preview rolls it back, so that a preview can neither say something else than the apply does nor
change anything. What a preview found is carried over the rollback in a file.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ops_platform import nightly
from ops_platform.models import NightStep, RulesChange, RulesMove
from segmentation.rfm_axes import check_axes
from segmentation.rfm_gap import check_best
from users.differences import compute
from users.mapping import apply_preset, roles_now
from users.models import Facts
from users.night import decide_for_all, publish_facts
from workspaces.copying import Carried, carry_in, carry_out
from workspaces.errors import Conflict, DomainError
from workspaces.leases import Lease, LeaseLost
from workspaces.models import Operator, Workspace
from workspaces.names import USUAL
from workspaces.rule_checks import check_setting
from workspaces.rules import FIRST_STEP, PRESETS, Rules
from workspaces.scoping import current_workspace, workspace_scope
from workspaces.services import audit, change_settings, checked_settings
from workspaces.sql import execute, is_interruption, read_sql, run_sql

logger = logging.getLogger(__name__)
# The steps that settings decide, in the night's order.
STEPS = ("facts", "activity", "stages", "rfm", "value", "segments", "snapshots")
BOARDS = ("stage", "activity", "rfm", "bits")
BUSY = ("due", "previewing", "wanted", "applying")
# Work that is expected to take longer is left to a worker, and the page shows how far it is.
AT_ONCE_SECONDS = 2.0
AT_ONCE_PEOPLE = 2_000
KEPT = 50
OUTDATED = gettext_lazy("Settings or numbers have changed since this preview. Preview the change again.")


def propose(changes: dict[str, Any], industry: str = "", by: Operator | None = None) -> RulesChange | None:
    """Check a change of settings and keep it for its preview; in the open scope.

    What moves nobody is stored at once, as is everything before the first night; then None is returned. Raises DomainError
    naming the setting that is not valid.
    """
    workspace = current_workspace()
    _check_catalogues(changes)
    industry_after, settings = checked_settings(workspace, changes, industry)
    first = first_step(workspace, industry_after, settings)
    if first is None or workspace.current_day is None:
        _store(workspace, changes, industry, by)
        return None
    return RulesChange.objects.create(
        changes=changes,
        industry=industry,
        base=_base(workspace),
        operator=by,
        expected_seconds=_expected_seconds(first, roles=bool(industry) and _roles_differ(industry)),
    )


def _store(workspace: Workspace, changes: dict[str, Any], industry: str, by: Operator | None) -> None:
    """Store what moves nobody, or all of it before the first night."""
    held = workspace.hold()
    if industry and industry != held.industry:
        after, settings = checked_settings(held, {}, industry)
        Workspace.objects.filter(pk=workspace.pk).update(industry=after, settings=settings)
        apply_preset(industry, by)
        audit("settings.change", "", by, industry=industry)
    if changes:
        change_settings(changes, by)
    workspace.refresh_from_db()


def first_step(workspace: Workspace, industry: str, settings: dict[str, Any]) -> str | None:
    """The first step that would come to something else; None when nobody can move."""
    before, after = workspace.rules.as_dict(), Rules.of(industry, settings).as_dict()
    steps = {FIRST_STEP[key] for key in FIRST_STEP if before[key] != after[key]}
    if industry != workspace.industry and _roles_differ(industry):
        steps.add(STEPS[0])
    return next((step for step in STEPS if step in steps), None)


def _roles_differ(industry: str) -> bool:
    now = roles_now()
    return any(set(names) != set(now[role]) for role, names in PRESETS[industry].roles.items())


def _check_catalogues(changes: dict[str, Any]) -> None:
    """What the checks of the settings cannot know: which facts, groups and names there are."""
    checks: dict[str, Callable[[Any], None]] = {
        "rfm_axes": check_axes,
        "rfm_best_group": check_best,
        "names": check_names,
    }
    for key, check in checks.items():
        if key in changes:
            check_setting(key, changes[key])
            check(changes[key])


def check_names(own: dict[str, str]) -> None:
    """Raises DomainError for a name of nothing that can be named, or one that two stages (groups, classes) would share."""
    for field, name in own.items():
        if field not in USUAL:
            raise DomainError("unknown", _("There is no “%(name)s” to be named.") % {"name": field}, "names")
        kind = field.partition(".")[0]
        shared = [other for other in USUAL if other.startswith(f"{kind}.") and other != field]
        if any(own.get(other, str(USUAL[other])) == name for other in shared):
            raise DomainError("invalid", _("“%(name)s” is the name of another.") % {"name": name}, "names")


def _base(workspace: Workspace) -> dict[str, Any]:
    day = workspace.current_day
    return {
        "industry": workspace.industry,
        "settings": workspace.settings,
        "day": day.isoformat() if day else None,
    }


def _expected_seconds(first: str, *, roles: bool) -> float | None:
    """What the newest change that began with the same step took; before there was one, what a night took for everybody.

    `roles`: everybody's events are looked into again, which such a night alone has told.
    """
    for change in RulesChange.objects.filter(industry="", preview_seconds__isnull=False).order_by("-created_at"):
        steps = {FIRST_STEP[key] for key in change.changes if key in FIRST_STEP}
        if not roles and next((step for step in STEPS if step in steps), None) == first:
            return change.preview_seconds
    return _seconds_of_a_night(first)


def _seconds_of_a_night(first: str) -> float | None:
    """What the steps took in the newest night that looked at most people, as the first one does, for so many as there are
    now. None before there was one: any other decides only those to whom something happened."""
    facts = NightStep.objects.filter(step="facts", state="done").order_by("-day").values_list("day", "counts")
    whole = next((told for told in facts if told[1].get("folded", 0) * 2 > told[1].get("people", 0)), None)
    if whole is None:
        return None
    day, counts = whole
    steps = NightStep.objects.filter(day=day, step__in=steps_from(first), state="done")
    took: float = steps.aggregate(took=Sum("seconds"))["took"] or 0.0
    return took * Facts.objects.count() / max(1, counts["people"])


def ask_to_apply(change: RulesChange, by: Operator | None = None) -> None:
    """Say that a previewed change is wanted. Raises Conflict when it is not ready, or outdated."""
    workspace = Workspace.objects.get(pk=current_workspace().pk)
    if is_outdated(change, workspace):
        raise Conflict("outdated", str(OUTDATED))
    if not RulesChange.objects.filter(pk=change.pk, state="ready").update(state="wanted", operator=by):
        raise Conflict("not_ready", _("This change is not ready to be applied."))
    # Here, for the worker that makes the change knows of no key: both lines of the trail name the change.
    audit("settings.ask", str(change.pk), by, after=change.changes)
    change.refresh_from_db()


def is_outdated(change: RulesChange, workspace: Workspace) -> bool:
    """Whether it was previewed on top of other settings, or of another day, than there are now."""
    return change.state != "applied" and change.base != _base(workspace)


def due_changes() -> list[uuid.UUID]:
    """Changes that wait for work, or whose worker died: a live one holds the night's lock."""
    return list(RulesChange.objects.filter(state__in=BUSY).order_by("created_at").values_list("pk", flat=True))


def is_short(change: RulesChange) -> bool:
    """Whether it can be done while the browser waits; in the open scope."""
    few = Facts.objects.count() <= AT_ONCE_PEOPLE
    return few or (change.expected_seconds is not None and change.expected_seconds <= AT_ONCE_SECONDS)


def run_change(workspace: Workspace, pk: uuid.UUID) -> None:
    """Preview or apply one change, whichever its row asks for. Opens its own scopes, so call it outside of one.

    Raises Conflict while a night, or another change, is computed. What fails is told in the row, and raised; what was
    interrupted stays as a killed worker leaves it, and is done by the next one.
    """
    with nightly.alone(workspace) as held:
        with workspace_scope(workspace):
            change = RulesChange.objects.filter(pk=pk, state__in=BUSY).first()
            if change is None:
                return
            change.state = "previewing" if change.state in ("due", "previewing") else "applying"
            change.started_at, change.step = timezone.now(), ""
            change.save(update_fields=["state", "started_at", "step"])
        try:
            _preview(change, held) if change.state == "previewing" else _apply(change, held)
        except Exception as error:
            if isinstance(error, LeaseLost) or is_interruption(error):
                raise
            text = error.message if isinstance(error, DomainError) else str(error)[:500]
            with workspace_scope(workspace):
                RulesChange.objects.filter(pk=pk).update(state="failed", error=text)
            raise


def _preview(change: RulesChange, held: Lease) -> None:
    started = time.perf_counter()
    workspace = Workspace.objects.get(pk=change.workspace_id)
    with _telling(change) as tell, workspace_scope(workspace):
        found = _decide(workspace, change, tell)
        moves = carry_out("moves_found")
        transaction.set_rollback(True)
    with workspace_scope(Workspace.objects.get(pk=change.workspace_id)):
        _keep_moves(change, moves)
        values = {"state": "ready", "step": "", **found, "preview_seconds": time.perf_counter() - started}
        RulesChange.objects.filter(pk=change.pk).update(**values)
        held.make_sure()


def _apply(change: RulesChange, held: Lease) -> None:
    started = time.perf_counter()
    workspace = Workspace.objects.get(pk=change.workspace_id)
    if is_outdated(change, workspace):
        raise Conflict("outdated", str(OUTDATED))
    with _telling(change) as tell, workspace_scope(workspace):
        found = _decide(workspace, change, tell)
        detail = {"industry": change.industry} if change.industry else {}
        before = {key: change.base["settings"].get(key) for key in change.changes}
        audit("settings.change", str(change.pk), change.operator, before=before, after=change.changes, **detail)
        values = {"state": "applied", "step": "", **found, "apply_seconds": time.perf_counter() - started}
        RulesChange.objects.filter(pk=change.pk).update(**values)
        held.make_sure()


def _decide(workspace: Workspace, change: RulesChange, tell: Callable[[str], None]) -> dict[str, Any]:
    """Store the settings and decide everybody anew, in the open transaction; returns {sizes, moves} as the row keeps them.

    Leaves the moves, person by person, in the temporary table `moves_found`.
    """
    compute("tiers_before", "ops_platform/rules_tiers")
    industry, settings = checked_settings(workspace, change.changes, change.industry)
    first = first_step(workspace, industry, settings)
    # Read by every step from the open workspace.
    workspace.industry, workspace.settings = industry, settings
    if change.industry and _roles_differ(industry):
        apply_preset(industry, change.operator)
    assert workspace.current_day is not None
    decide_anew(workspace, workspace.current_day, first or STEPS[0], tell)
    base = Workspace.objects.filter(pk=workspace.pk, industry=change.base["industry"], settings=change.base["settings"])
    if not base.update(industry=industry, settings=settings):
        raise Conflict("outdated", str(OUTDATED))
    compute("tiers_after", "ops_platform/rules_tiers")
    compute("moves_found", "ops_platform/rules_moves")
    return {"sizes": _count_tiers(), "moves": _count_moves()}


def decide_anew(workspace: Workspace, day: date, first: str, tell: Callable[[str], None] = lambda step: None) -> None:
    """Run the night's steps from `first` on for everybody, in the open transaction; the day stays.

    This is how a changed setting reaches the numbers: by the same steps as in a night, with the rules of `workspace`.
    """
    nightly.work_on_sets()
    decide_for_all()
    for step in nightly.STEPS:
        if step.key in steps_from(first):
            tell(step.key)
            step.run(workspace, day)
        if step.key == first == "facts":
            publish_facts(workspace, day)


def steps_from(first: str) -> list[str]:
    """The steps that follow from a change of the first of them. Expected value rests on purchases and its own bounds only."""
    steps = STEPS[STEPS.index(first) :]
    return [step for step in steps if step != "value" or first in ("facts", "value")]


def _count_tiers() -> dict[str, dict[str, int]]:
    """{board: {key: people}} before the change."""
    sizes: dict[str, dict[str, int]] = {}
    for board in BOARDS:
        rows = execute(f"select {board} as key, count(*)::integer as people from tiers_before group by {board}", {})
        sizes[board] = {row["key"]: row["people"] for row in rows if row["key"]}
    return sizes


def _count_moves() -> dict[str, list[list[Any]]]:
    """{board: [[from, to, people], …]}, the largest first."""
    rows = execute(
        "select board, from_key, to_key, count(*)::integer as people from moves_found"
        " group by board, from_key, to_key order by board, people desc, from_key, to_key",
        {},
    )
    moves: dict[str, list[list[Any]]] = {board: [] for board in BOARDS}
    for row in rows:
        moves[row["board"]].append([row["from_key"], row["to_key"], row["people"]])
    return moves


def _keep_moves(change: RulesChange, moves: Carried) -> None:
    """Only those of the newest preview are kept: older ones were told on top of other numbers."""
    RulesMove.objects.all().delete()
    old = RulesChange.objects.order_by("-created_at").values_list("pk", flat=True)[KEPT:]
    RulesChange.objects.filter(pk__in=list(old)).exclude(state__in=BUSY).delete()
    carry_in(moves)
    run_sql("ops_platform/keep_rules_moves", change=change.pk)


@contextmanager
def _telling(change: RulesChange) -> Iterator[Callable[[str], None]]:
    """Tells which step runs while the transaction that it runs in is open, by a connection of its own."""
    apart = connection.copy()
    scope, sql = "select set_config('app.workspace_id', %(workspace)s, false)", read_sql("ops_platform/tell_step")

    def tell(step: str) -> None:
        with apart.cursor() as cursor:
            cursor.execute(scope, {"workspace": str(change.workspace_id)})
            cursor.execute(sql, {"workspace": change.workspace_id, "change": change.pk, "step": step})

    try:
        yield tell
    finally:
        apart.close()
