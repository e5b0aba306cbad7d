"""What of a person lies where one would not look first: their own words under a newer one, a login of this minute, an
Excel file; and who comes back while they are still being erased."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from openpyxl import Workbook

from campaigns.models import Suppression
from users.erasure import ask_erasure, readmit_id, run_erasure
from users.identity import merge_pending
from users.imports import receive_file
from users.models import EndUser, Erasure, Event, Import
from workspaces.errors import Conflict
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .canary import CANARY, LATER, USER, VISITOR, erase, rows_with
from .conftest import track


def identify(who: str, at: str, **traits: Any) -> dict[str, Any]:
    return track(f"{who}-{at}", type="identify", userId=who, event=None, traits=traits, timestamp=f"{at}T00:00:00Z")


def become_one(acme: Workspace, send: Any, previous: str, person: str) -> None:
    message = {"type": "alias", "previousId": previous, "userId": person, "timestamp": "2026-07-01T00:00:00Z"}
    send("alias", message | {"messageId": f"{previous}-{person}"})
    merge_pending(acme)


def test_what_a_newer_word_of_another_id_covers_is_erased_as_well(acme: Workspace, send: Any, media: Path) -> None:
    send("identify", identify(USER, "2026-07-01", email=f"{CANARY}@old.example", name=f"{CANARY} old"))
    send("identify", identify("tablet", "2026-07-02", email="new@mail.example", name="New"))
    become_one(acme, send, "tablet", USER)
    with workspace_scope(acme):
        assert EndUser.objects.get(external_id=USER).email == "new@mail.example"
        for address in (f"{CANARY}@old.example".lower(), "new@mail.example"):
            Suppression.objects.create(workspace=acme, channel="email", address=address, reason="by_hand")
        rows = f"email,event,timestamp\n{CANARY}@old.example,Visited,2026-07-30 10:00:00\n"
        receive_file(SimpleUploadedFile("old.csv", rows.encode()), "old.csv")
    erase(acme)
    with workspace_scope(acme):
        assert not Suppression.objects.filter(address__contains="@").exists()
        assert rows_with(CANARY) == []
    assert not [path for path in media.rglob("*") if path.is_file()]


def test_who_logged_in_a_moment_ago_is_erased_with_what_they_did_before(
    acme: Workspace, send: Any, media: Path
) -> None:
    send("track", track("m1", userId=None, anonymousId=VISITOR, properties={"note": CANARY}))
    send(
        "identify", track("i1", type="identify", userId=USER, anonymousId=VISITOR, event=None, traits={"name": CANARY})
    )
    send("track", track("m2", userId="another", anonymousId=VISITOR, timestamp="2026-08-02T00:00:00Z"))
    erase(acme)
    with workspace_scope(acme):
        assert rows_with(CANARY) == []
        assert set(EndUser.objects.values_list("external_id", flat=True)) == {"another"}


def test_an_excel_file_that_tells_of_them_is_deleted(acme: Workspace, send: Any, media: Path) -> None:
    """What stands in it is packed, so that nothing of it is found in the bytes of the file."""
    send("track", track("m1", userId=USER))
    with workspace_scope(acme):
        files = [upload(f"{who}.xlsx", who) for who in (USER, "somebody")]
    erase(acme)
    assert [Path(file.path).exists() for file in files] == [False, True]


def upload(name: str, who: str) -> Import:
    book, packed = Workbook(), io.BytesIO()
    for row in (["id", "event"], [who, "Visited"]):
        book.active.append(row)
    book.save(packed)
    return receive_file(SimpleUploadedFile(name, packed.getvalue()), "orders.xlsx")


def test_an_erasure_that_finds_nobody_left_looks_for_nobody_in_files(acme: Workspace, send: Any, media: Path) -> None:
    """Two people were asked for, and turned out to be one: the first erasure took both."""
    for who in (USER, "tablet"):
        send("track", track(who, userId=who))
    with workspace_scope(acme):
        first, second = (ask_erasure(EndUser.objects.get(external_id=who)).pk for who in (USER, "tablet"))
    become_one(acme, send, "tablet", USER)
    run_erasure(acme, first)
    with workspace_scope(acme):
        file = Path(upload("orders.xlsx", "somebody").path)
    file.write_bytes(b"PK\x03\x04, and what nobody can look into")
    for when in (timezone.now(), timezone.now() + LATER):
        run_erasure(acme, second, when)
    with workspace_scope(acme):
        assert Erasure.objects.get(pk=second).state == "done" and file.exists()


def test_nobody_is_let_in_again_while_they_are_being_erased(
    acme: Workspace, send: Any, media: Path, as_role: Any, client: Any, world: Any
) -> None:
    """The second pass deletes what it finds: what came meanwhile would be lost, with a 200."""
    send("track", track("m1", userId=USER))
    with workspace_scope(acme):
        erasure = ask_erasure(EndUser.objects.get(external_id=USER))
    run_erasure(acme, erasure.pk)
    with workspace_scope(acme), pytest.raises(Conflict):
        readmit_id(USER)
    headers = {"authorization": f"Bearer {world.acme_api_key}"}
    assert client.post(f"/api/v1/users/{USER}/readmit", headers=headers).status_code == 409
    owner = as_role("owner")
    for name in (USER, f"{USER}\0"):
        told = owner.post("/w/acme/erasures/readmit/", {"external_id": name})
        assert told.status_code == 422 and f'value="{USER}"' in told.content.decode(), "what was typed stays"
    assert send("track", track("m2", userId=USER)).status_code == 200
    run_erasure(acme, erasure.pk, timezone.now() + LATER)
    with workspace_scope(acme):
        assert Erasure.objects.get().state == "done" and not Event.objects.exists()
        assert readmit_id(USER)
    send("track", track("m3", userId=USER))
    with workspace_scope(acme):
        assert Event.objects.get().message_id == "m3"
