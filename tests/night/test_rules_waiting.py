"""While a change of settings is computed: how long it takes is told also the first time, and one worker ends it."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from ops_platform import rules_change, rules_words
from ops_platform.models import NightStep
from tests.night.test_nightly import forget_lease
from tests.night.test_rules_change import preview, propose, random_shop, shop  # noqa: F401 - fixtures
from users.models import Facts
from workspaces.errors import Conflict
from workspaces.leases import Lease, LeaseLost
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope


def test_the_first_change_of_its_kind_takes_as_long_as_a_night_for_everybody(shop: Workspace) -> None:  # noqa: F811
    with workspace_scope(shop):
        people = Facts.objects.count()
        NightStep.objects.filter(step="facts").update(seconds=100.0, counts={"folded": people, "people": people // 2})
        NightStep.objects.exclude(step="facts").update(seconds=10.0)
    first = propose(shop, {"habit_days": 1})
    # Those from the facts on, and twice as many people as that night had.
    assert first.expected_seconds == pytest.approx(2 * 160.0, rel=0.1)
    with workspace_scope(shop):
        first.started_at = first.created_at
        told = rules_words.progress(first, first.created_at.timestamp() + 20)
    assert told["left"] == pytest.approx(300.0, rel=0.1) and told["rate"] == round(people / first.expected_seconds)
    assert propose(shop, {"slipping_percent": 50}).expected_seconds == pytest.approx(100.0, rel=0.1)
    preview(shop, {"habit_days": 1})
    assert propose(shop, {"habit_days": 2}).expected_seconds < 100  # type: ignore[operator]  # measured by now


@pytest.mark.parametrize("error", [LeaseLost(), OperationalError("the server is going away")])
def test_a_change_that_was_interrupted_or_taken_over_has_not_failed(
    shop: Workspace,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    change = preview(shop, {"habit_days": 1, "habit_window": 5})
    with workspace_scope(shop):
        rules_change.ask_to_apply(change)

    def make_sure(lease: Lease) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Lease, "make_sure", make_sure)
        with pytest.raises((Conflict, OperationalError)):
            rules_change.run_change(shop, change.pk)
    with workspace_scope(shop):
        change.refresh_from_db()
        assert (change.state, change.error) == ("applying", "") and rules_change.due_changes() == [change.pk]
    forget_lease(shop)
    rules_change.run_change(shop, change.pk)
    with workspace_scope(shop):
        change.refresh_from_db()
        assert change.state == "applied"
