"""Settings: thresholds with their errors, members and invitations, keys that are shown once, the audit trail."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine
from django.test import Client

from workspaces.models import AccessKey, AuditEntry, Membership, Operator, Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import add_member

CHANGE = "/w/acme/settings/change/"
MEMBERS = "/w/acme/settings/members/"


def as_typed(client: Client, **changes: str) -> dict[str, str]:
    """What the thresholds form would send, with changes."""
    form = client.get("/w/acme/settings/").context["form"]
    typed = {}
    for field in form:
        value = field.field.prepare_value(field.value()) if hasattr(field.field, "prepare_value") else field.value()
        if value is not False and value not in (None, ""):
            typed[field.name] = "on" if value is True else str(value)
    return typed | changes


def rules() -> Any:
    return Workspace.objects.get(slug="acme").rules


def test_a_threshold_changes_and_leaves_a_line(world: Any, as_role: Any) -> None:
    client = as_role("admin")
    response = client.post(CHANGE, as_typed(client, slipping_percent="50", recall_days="5，10, 20"))
    assert response.status_code == 302
    assert (rules().slipping_percent, list(rules().recall_days)) == (50, [5, 10, 20])
    with workspace_scope(world.acme):
        entry = AuditEntry.objects.get(action="settings.change")
    assert entry.detail["after"] == {"slipping_percent": 50, "recall_days": [5, 10, 20]}


def test_saving_the_page_as_it_is_changes_nothing(world: Any, as_role: Any) -> None:
    client = as_role("owner")
    client.post(CHANGE, as_typed(client))
    assert Workspace.objects.get(slug="acme").settings == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"slipping_percent": "0"}, "slipping_percent"),
        ({"habit_days": "many"}, "habit_days"),
        ({"limit_min": "200", "limit_max": "100"}, "limit_min"),
        ({"habit_days": "99", "habit_window": "9"}, "habit_days"),
        ({"recall_days": "30, 7"}, "recall_days"),
        ({"recall_days": "7; drop"}, "recall_days"),
        ({"rfm_method": "fixed"}, "cuts_r"),
        ({"rfm_method": "fixed", "cuts_r": "1,2,3", "cuts_f": "1,2,3,4", "cuts_m": "1,2,3,4"}, "cuts_r"),
        ({"rfm_method": "fixed", "cuts_r": "1,2,3,4", "cuts_f": "1,2,3,4", "cuts_m": "1.001,2,3,4"}, "cuts_m"),
    ],
)
def test_a_wrong_value_is_said_at_its_field_and_nothing_typed_is_lost(
    world: Any, as_role: Any, changes: dict[str, str], field: str
) -> None:
    client = as_role("owner")
    response = client.post(CHANGE, as_typed(client, **changes))
    assert response.status_code == 422
    assert field in response.context["form"].errors
    told = response.content.decode().split('role="alert"')[1].split("</p>")[0]
    assert f'href="#id_{field}"' in told, "also at the top: the page is long"
    assert f'value="{changes.get(field, "")}"' in response.content.decode() or field not in changes
    assert Workspace.objects.get(slug="acme").settings == {}


def test_amounts_of_money_are_kept_in_minor_units(world: Any, as_role: Any) -> None:
    client = as_role("owner")
    cuts = {"cuts_r": "5, 10, 20, 40", "cuts_f": "1, 2, 3, 5", "cuts_m": "9.90, 20, 50, 100.5"}
    assert client.post(CHANGE, as_typed(client, rfm_method="fixed", **cuts)).status_code == 302
    assert rules().rfm_cuts["m"] == [990, 2000, 5000, 10050]
    assert "9.90, 20.00, 50.00, 100.50" in client.get("/w/acme/settings/").content.decode()


def test_an_operator_reads_thresholds_and_may_not_change_them(world: Any, as_role: Any) -> None:
    client = as_role("operator")
    assert '<fieldset class="stack" disabled>' in client.get("/w/acme/settings/").content.decode()
    assert client.post(CHANGE, {}).status_code == 403


def test_a_key_is_shown_once_and_works_until_revoked(world: Any, as_role: Any) -> None:
    client = as_role("admin")
    answer = client.post("/w/acme/settings/keys/create/", {"name": "仓库", "kind": "api", "role": "analyst"})
    secret = answer.context["secret"]
    assert secret in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"
    page = client.get("/w/acme/settings/keys/").content.decode()
    assert secret not in page
    assert secret[:10] in page
    with workspace_scope(world.acme):
        key = AccessKey.objects.get(name="仓库")
    client.post(f"/w/acme/settings/keys/{key.pk}/revoke/")
    with workspace_scope(world.acme):
        assert AccessKey.objects.get(pk=key.pk).revoked_at is not None


def invitation(client: Client, email: str, role: str = "operator") -> str:
    page = client.post(f"{MEMBERS}invite/", {"email": email, "role": role}).content.decode()
    return re.search(r"<code>http://testserver(/invitation/[^<]+)</code>", page)[1]  # type: ignore[index]


def test_somebody_new_joins_by_the_link_and_is_logged_in(world: Any, as_role: Any) -> None:
    url, guest = invitation(as_role("owner"), "New@Acme.test"), Client()
    assert guest.get(url).status_code == 200
    weak = guest.post(url, {"name": "新人", "password": "short"})
    assert weak.status_code == 422
    assert 'value="新人"' in weak.content.decode()
    joined = guest.post(url, {"name": "新人", "password": "a long enough passphrase"})
    assert joined.url == "/w/acme/"  # type: ignore[attr-defined]
    assert guest.get("/w/acme/").status_code == 200
    with workspace_scope(world.acme):
        assert Membership.objects.get(operator__email="new@acme.test").role == "operator"


def test_somebody_known_must_be_the_one_invited(world: Any, as_role: Any) -> None:
    url = invitation(as_role("owner"), "stranger@other.test", "analyst")
    guest = Client()
    assert guest.get(url).url.startswith("/accounts/login/")  # type: ignore[attr-defined]
    guest.force_login(world.analyst)
    assert guest.post(url).status_code == 200
    assert not joined(world, world.stranger)
    guest.force_login(world.stranger)
    assert guest.post(url).url == "/w/acme/"  # type: ignore[attr-defined]
    assert joined(world, world.stranger)


def test_whoever_was_removed_does_not_come_back_by_an_old_link(world: Any, as_role: Any) -> None:
    owner = as_role("owner")
    url, spare = (invitation(owner, "stranger@other.test", "admin") for _ in range(2))
    guest = Client()
    guest.force_login(world.stranger)
    for _ in range(2):
        assert guest.post(url).url == "/w/acme/"  # type: ignore[attr-defined]
    with workspace_scope(world.acme):
        member = Membership.objects.get(operator=world.stranger)
    owner.post(f"{MEMBERS}{member.pk}/", {"role": ""})
    assert guest.post(url).status_code == guest.post(spare).status_code == 410
    assert not joined(world, world.stranger)
    guest.post(invitation(owner, "stranger@other.test", "analyst"))
    assert joined(world, world.stranger)


@pytest.mark.parametrize("role", ["", "admin"])
def test_an_owner_who_had_to_go_does_not_come_back_by_a_link_of_their_own(world: Any, as_role: Any, role: str) -> None:
    with workspace_scope(world.acme):
        add_member(world.admin, "owner")
    url = invitation(as_role("admin"), "friend@acme.test", "owner")
    guest = Client()
    assert guest.get(url).status_code == 200
    with workspace_scope(world.acme):
        member = Membership.objects.get(operator=world.admin)
    as_role("owner").post(f"{MEMBERS}{member.pk}/", {"role": role})
    typed = {"name": "朋友", "password": "a long enough passphrase"}
    assert guest.get(url).status_code == guest.post(url, typed).status_code == 410
    assert not Operator.objects.filter(email="friend@acme.test").exists()


def joined(world: Any, operator: Operator) -> bool:
    with workspace_scope(world.acme):
        return Membership.objects.filter(operator=operator).exists()


def test_a_forged_or_old_invitation_says_so(world: Any, as_role: Any) -> None:
    url = invitation(as_role("owner"), "late@acme.test")
    assert Client().get(url[:-3] + "x/").status_code == 410
    with time_machine.travel("2099-01-01"):
        assert Client().get(url).status_code == 410


def test_the_last_owner_cannot_leave(world: Any, as_role: Any) -> None:
    client = as_role("owner")
    member = next(row for row in client.get(MEMBERS).context["members"] if row.role == "owner")
    client.post(f"{MEMBERS}{member.pk}/", {"role": ""})
    client.post(f"{MEMBERS}{member.pk}/", {"role": "analyst"})
    with workspace_scope(world.acme):
        assert Membership.objects.get(pk=member.pk).role == "owner"


def test_only_owners_manage_members(world: Any, as_role: Any) -> None:
    client = as_role("admin")
    assert client.post(f"{MEMBERS}invite/", {"email": "x@y.test", "role": "owner"}).status_code == 403
    member = client.get(MEMBERS).context["members"][0]
    assert client.post(f"{MEMBERS}{member.pk}/", {"role": "analyst"}).status_code == 403


def test_the_audit_trail_is_read_page_by_page(world: Any, as_role: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workspaces.views.AUDIT_PAGE", 2)
    client, seen, before = as_role("admin"), [], ""
    while True:
        context = client.get("/w/acme/settings/audit/", {"before": before}).context
        seen += [entry.pk for entry in context["entries"]]
        before = context["before"]
        if not before:
            break
    with workspace_scope(world.acme):
        assert len(seen) == len(set(seen)) == AuditEntry.objects.count()
