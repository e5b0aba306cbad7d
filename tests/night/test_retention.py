"""Old events go, month by month; what was counted of them stays counted, and nobody else loses anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests import builders
from tests.night.reading import facts, night
from users import retention
from users.ingest.normal import NormalEvent, PersonKey
from users.models import Event, EventName, IngestError, PersonDay, Purchase
from users.retention import MONTHS, tidy_events
from users.services import record_events
from workspaces.errors import DomainError
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import change_settings
from workspaces.sql import execute

NOW = datetime(2026, 8, 15, 4, tzinfo=UTC)
NIGHT = "2026-08-14"


@pytest.fixture
def shop(acme: Workspace) -> Workspace:
    """Two orders a year ago, one a month ago, all counted; three months are kept."""
    for day in ("2025-08-03", "2025-08-20", "2026-07-10"):
        builders.event(acme, "ann", "Order Completed", day, total=5)
    night(acme, NIGHT)
    keep(acme, 3)
    return acme


def keep(workspace: Workspace, months: int | None) -> None:
    with workspace_scope(workspace):
        change_settings({"keep_events_months": months})
    workspace.refresh_from_db()


def left(workspace: Workspace) -> list[str]:
    with workspace_scope(workspace):
        return [f"{event.at:%Y-%m}" for event in Event.objects.order_by("at")]


def made(workspace: Workspace) -> list[list[dict[str, Any]]]:
    with workspace_scope(workspace):
        return [list(model.objects.order_by("pk").values()) for model in (PersonDay, Purchase)]


def months() -> set[str]:
    return {row["name"] for row in execute(MONTHS, {})}


def test_without_the_setting_nothing_goes_and_the_months_to_come_are_made(shop):
    keep(shop, None)
    assert tidy_events(shop, datetime(2031, 1, 15, tzinfo=UTC)) == {"deleted": 0, "dropped": 0}
    assert {"event_203101", "event_203102", "event_203103"} <= months() and len(left(shop)) == 3


def test_samples_of_refused_items_are_kept_for_a_week(shop):
    with workspace_scope(shop):
        for days in (6, 8):
            IngestError.objects.create(code="x", message="", example=f"{days}", at=NOW - timedelta(days=days))
    tidy_events(shop, NOW)
    with workspace_scope(shop):
        assert IngestError.objects.get().example == "6"


def test_old_events_go_in_batches_and_every_number_stays(shop, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 1)
    before, counted = facts(shop, "ann").__dict__, made(shop)
    told = tidy_events(shop, NOW)
    assert told["deleted"] == 2 and left(shop) == ["2026-07"]
    assert tidy_events(shop, NOW)["deleted"] == 0
    builders.touch_all(shop)
    night(shop, NIGHT)
    after = facts(shop, "ann").__dict__
    assert {key: after[key] for key in after if key != "_state"} == {
        key: before[key] for key in after if key != "_state"
    }
    assert made(shop) == counted and after["orders"] == 3
    with workspace_scope(shop):
        [entry] = AuditEntry.objects.filter(action="events.expire")
    assert (entry.target, entry.detail) == ("2026-05-01", {"events": 2})


def test_a_change_of_roles_or_a_longer_time_makes_nothing_anew(shop):
    counted = made(shop)
    tidy_events(shop, NOW)
    keep(shop, None)
    with workspace_scope(shop):
        EventName.objects.update(is_core=False)
    builders.touch_all(shop)
    night(shop, NIGHT)
    days, purchases = made(shop)
    assert [row["core"] for row in days][:2] == [row["core"] for row in counted[0]][:2] and purchases == counted[1]


def test_what_comes_late_counts_on_a_day_that_was_never_counted_and_on_no_other(shop):
    tidy_events(shop, NOW)
    builders.event(shop, "ann", "Order Completed", "2025-08-03 20:00", total=100)
    builders.event(shop, "ann", "Order Completed", "2025-08-05", total=7)
    builders.touch_all(shop)
    assert tidy_events(shop, NOW)["deleted"] == 0  # the night has not looked at them
    night(shop, NIGHT)
    assert (facts(shop, "ann").orders, facts(shop, "ann").revenue_minor) == (4, 2200)
    assert tidy_events(shop, NOW)["deleted"] == 2


def test_a_month_that_is_empty_is_dropped_and_made_again_when_an_event_comes(shop, world):
    assert tidy_events(shop, NOW)["dropped"] >= 1 and "event_202508" not in months()
    at = datetime(2025, 8, 9, tzinfo=UTC)
    for n in range(2):
        record_events(shop, [NormalEvent(PersonKey("ann"), "Order Completed", f"late{n}", at, at)])
        assert len(left(shop)) == 2
        builders.remove_event(shop, event_at(shop, at))
        with workspace_scope(shop):
            execute("delete from touched where workspace_id = %(pk)s", {"pk": str(shop.pk)})
        tidy_events(shop, NOW)
        assert "event_202508" not in months()


def event_at(workspace: Workspace, at: datetime) -> Event:
    with workspace_scope(workspace):
        return Event.objects.get(at=at)


def test_what_others_keep_stays_and_so_does_its_month(shop, world):
    builders.event(world.other, "bob", "Order Completed", "2025-08-04", total=5)
    assert tidy_events(shop, NOW)["deleted"] == 2
    assert left(world.other) == ["2025-08"] and "event_202508" in months()


@pytest.mark.parametrize("months_kept", [0, 2, 241, "12", 3.5])
def test_a_time_that_makes_no_sense_is_refused(acme, months_kept):
    with pytest.raises(DomainError):
        keep(acme, months_kept)
