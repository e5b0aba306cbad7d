"""Erasing a person: nothing of them is left anywhere, nothing brings them back, and the numbers stay as they were told."""

from __future__ import annotations

import itertools
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.contrib.postgres.fields import ArrayField
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.audience import measure_reach
from campaigns.models import Campaign, Delivery, Run, Suppression
from campaigns.selectors import report
from campaigns.suppressions import release
from lifecycle.models import StageChange, Standing
from ops_platform.nightly import run_night
from segmentation.models import Segment
from segmentation.services import create_segment
from tests import builders
from users.erasure import ask_erasure, do_step, due_erasures, run_erasure
from users.export_kinds import all_kinds
from users.export_run import ask_export, path_of, run_export
from users.identity import merge_pending
from users.import_run import run_import
from users.imports import mapping_of, receive_file, start_import
from users.ingest.normal import NormalEvent, NormalProfile, PersonKey
from users.models import EndUser, ErasedId, Erasure, Event, EventName, Export, Import, Touched, person_id
from users.night import NIGHT_LOCK
from users.person_model import PersonModel
from users.person_tables import registered
from users.profiles import exclude, include
from users.services import record_events, set_consent
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import execute

from ..conftest import make_world
from .conftest import track

CANARY = "canary-Zq7"
USER, VISITOR = f"{CANARY}-user", f"{CANARY}-device"
EMAIL, PHONE, NAME = f"{CANARY}@mail.example".lower(), "+8613912345678", f"{CANARY} 张金丝雀"
RULE = {"kind": "attribute", "name": "note", "compare": "known"}
LATER = timedelta(minutes=3)
# Fields that hold one of a few words of ours.
WORDS = {
    **{
        "arm": "treated",
        "state": "sent",
        "channel": "email",
        "bits": "111",
        "reason": "x",
        "group": "x",
        "limit_kind": "x",
    },
    **{"stage": "use", "activity": "active", "from_group": "x", "to_group": "y", "kind": "alias"},
}
KINDS = {"profile_change": "append", "purchase": "order", "feedback": "open"}


def identify(**changes: Any) -> dict[str, Any]:
    traits = {"name": NAME, "email": EMAIL, "phone": PHONE, "push_token": f"{CANARY}-token", "note": CANARY}
    message = {"type": "identify", "userId": USER, "anonymousId": VISITOR, "traits": traits, "messageId": "i1"}
    return message | changes


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def canary(world: Any, send: Any, media: Path) -> Workspace:
    """A person with a canary in every field of every table about people, and wherever else they leave a trace."""
    acme = world.acme
    send("track", track("m1", userId=None, anonymousId=VISITOR, properties={"note": CANARY}))
    send("identify", identify())
    send("track", track("m2", userId=USER, properties={"total": 20, "note": CANARY, "order_id": f"{CANARY}-order"}))
    send("track", track("m3", userId="friend", event="Referral Accepted", properties={"referred_by": USER}))
    send("identify", {"type": "identify", "userId": "friend", "messageId": "i2", "traits": {"referred_by": USER}})
    send("track", {"type": "track", "userId": USER, "event": "", "properties": {"note": CANARY}, "messageId": "bad"})
    merge_pending(acme)
    with workspace_scope(acme):
        person = EndUser.objects.get(external_id=USER)
        set_consent([person.pk], "email", True, "page", by=world.owner)
        EndUser.objects.filter(pk=person.pk).update(tags=[CANARY])
        exclude([person.pk], CANARY, world.owner)
        include([person.pk], world.owner)
        Suppression.objects.create(workspace=acme, channel="email", address=EMAIL, reason="by_hand")
        segment = create_segment("everybody", RULE)
    upload(acme)
    run_night(acme, date(2026, 8, 2), "command")
    with workspace_scope(acme):
        campaign = Campaign.objects.create(name="promo", channel="email", segment=segment)
        run = Run.objects.create(campaign=campaign, due_at=timezone.now(), frozen_at=timezone.now(), error=EMAIL)
        for model in registered():
            if model is not Touched and model is not EndUser and not model.objects.filter(end_user=person.pk).exists():
                fill(model, acme, person, run, segment)
        AuditEntry.objects.create(
            action="people.merge", target=USER, detail={"into": str(person.pk), "names": [VISITOR]}
        )
        export = ask_export(all_kinds()["people"], {})
        run_export(acme, export.pk)
        assert CANARY in path_of(Export.objects.get(pk=export.pk)).read_text()
    return acme


def upload(acme: Workspace) -> None:
    bought = f"{USER},Order Completed,2026-07-30 10:00:00"
    rows = f"user_id,event,timestamp,total,note\n{bought},5,{CANARY}\n{bought},{CANARY},\n"
    with workspace_scope(acme):
        file = receive_file(SimpleUploadedFile("orders.csv", rows.encode()), "orders.csv")
        start_import(file, mapping_of(file), dry_run=False)
    assert run_import(acme, file.pk).accepted == 1  # type: ignore[union-attr]


def fill(model: type[PersonModel], acme: Workspace, person: EndUser, run: Run, segment: Segment) -> None:
    """One row of the person with the canary in every field that takes text."""
    values: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        if isinstance(field, models.CompositePrimaryKey) or field.name in ("workspace", "end_user"):
            continue
        values[field.attname] = value_for(field, model._meta.db_table, run, segment)
    model.objects.bulk_create([model(workspace=acme, end_user_id=person.pk, **values)])


def value_for(field: models.Field, table: str, run: Run, segment: Segment) -> Any:
    if field.name in WORDS:
        return KINDS.get(table, "alias") if field.name == "kind" else WORDS[field.name]
    if isinstance(field, models.ForeignKey):
        return {"run": run.pk, "segment": segment.pk, "name": 1}[field.name]
    if isinstance(field, models.CharField | models.TextField):
        return CANARY[: field.max_length] if field.max_length else CANARY
    kinds: list[tuple[type[models.Field], Any]] = [
        (models.JSONField, {"told": CANARY}),
        (models.UUIDField, uuid.uuid4()),
        (models.BooleanField, True),
        (models.DateTimeField, timezone.now()),
        (models.DateField, date(2026, 8, 1)),
        (ArrayField, []),
    ]
    return next((value for kind, value in kinds if isinstance(field, kind)), 1)


def erase(acme: Workspace) -> Erasure:
    with workspace_scope(acme):
        erasure = ask_erasure(EndUser.objects.get(external_id=USER))
    run_erasure(acme, erasure.pk)
    run_erasure(acme, erasure.pk, timezone.now() + LATER)
    with workspace_scope(acme):
        erasure.refresh_from_db()
    return erasure


def rows_with(*words: str) -> list[str]:
    """Every row of every table, whoever's it is, in which one of the words stands."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('app.workspace_id')")
        cursor.execute("set local role uop_owner")
        cursor.execute(
            "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname in ('public', 'parts') and c.relkind = 'r'"
        )
        for schema, table in cursor.fetchall():
            for word in words:
                cursor.execute(
                    f'select t::text from "{schema}"."{table}" t where strpos(lower(t::text), lower(%s)) > 0', [word]
                )
                found += [f"{table}: {row[0][:200]}" for row in cursor.fetchall()]
        cursor.execute("set local role uop_app")
    return found


def kept_elsewhere(media: Path) -> Iterator[bytes]:
    """All files, and all of Valkey."""
    yield from (path.read_bytes() for path in media.rglob("*") if path.is_file())
    client = redis.Redis.from_url(django_settings.REDIS_URL.replace("redis+socket://", "unix://"))
    for key in client.scan_iter("*"):
        yield key
        if client.type(key) == b"string":
            yield client.get(key)
        elif client.type(key) == b"list":
            yield from client.lrange(key, 0, -1)


def words_of(acme: Workspace) -> list[str]:
    ids = [person_id(acme.pk, USER), person_id(acme.pk, VISITOR, "anonymous")]
    return [CANARY, PHONE, "金丝雀", *map(str, ids), *(pk.hex for pk in ids)]


def test_nothing_of_an_erased_person_is_left_anywhere(canary: Workspace, media: Path) -> None:
    words = words_of(canary)
    with workspace_scope(canary):
        tables = {row.partition(":")[0] for row in rows_with(*words)}
        assert {model._meta.db_table for model in registered() if model is not Event} - {"touched"} <= tables
        assert {
            "audit_entry",
            "import_batch",
            "import_error",
            "ingest_error",
            "suppression",
            "arrival",
            "run",
        } <= tables
    assert any(CANARY.encode() in part for part in kept_elsewhere(media))

    erasure = erase(canary)
    with workspace_scope(canary):
        assert (erasure.state, erasure.person_id, erasure.about) == ("done", None, None) and erasure.rows > 20
        assert rows_with(*words) == [], "\n".join(rows_with(*words))
        assert not due_erasures(timezone.now() + LATER)
        entry = AuditEntry.objects.get(action="people.erase")
        assert entry.target == str(erasure.pk)
    assert not [part for part in kept_elsewhere(media) for word in words if word.encode() in part]


def test_what_is_sent_late_does_not_bring_them_back(canary: Workspace, send: Any, media: Path) -> None:
    erase(canary)
    late = [
        send("track", track("m9", userId=USER, properties={"note": CANARY})),
        send("identify", identify(messageId="i9")),
        send("identify", identify(messageId="i10", userId="somebody", anonymousId=VISITOR)),
        send("identify", identify(messageId="i11", anonymousId=f"{CANARY}-tablet")),
        send("alias", {"type": "alias", "userId": "somebody", "previousId": USER, "messageId": "a9"}),
    ]
    assert {answer.status_code for answer in late} == {200}
    batch = {"batch": [track("m20", userId=USER), track("m21", userId="neighbour")]}
    assert [item["status"] for item in send("batch", batch).json()["items"]] == ["erased", "accepted"]
    upload_late(canary)
    merge_pending(canary)
    with workspace_scope(canary):
        assert rows_with(*words_of(canary)[:4]) == []
        assert set(EndUser.objects.values_list("external_id", flat=True)) == {"friend", "neighbour"}
        assert sum(ErasedId.objects.values_list("dropped", flat=True)) >= 6, "messages; some say two things"


def upload_late(acme: Workspace) -> None:
    """The same rows again, in a file that is taken in after the erasure, and deleted."""
    rows = f"user_id,event,timestamp\n{USER},Order Completed,2026-07-30 10:00:00\nfriend,Order Completed,2026-07-30 10:00:00\n"
    with workspace_scope(acme):
        file = receive_file(SimpleUploadedFile("late.csv", rows.encode()), "late.csv")
        start_import(file, mapping_of(file), dry_run=False)
    done = run_import(acme, file.pk)
    assert done and (done.accepted, done.duplicates, done.rejected) == (1, 0, 1)
    with workspace_scope(acme):
        Import.objects.filter(pk=file.pk).delete()


def test_an_erasure_that_is_killed_at_any_step_goes_on(canary: Workspace, send: Any, media: Path) -> None:
    with workspace_scope(canary):
        erasure = ask_erasure(EndUser.objects.get(external_id=USER))
        assert ask_erasure(EndUser.objects.get(external_id=USER)).pk == erasure.pk, "asked twice, it is one"
    now = timezone.now()
    more, steps = True, 0
    while more or now < timezone.now() + LATER:
        if not more:
            now += 2 * LATER
        with workspace_scope(canary):
            do_step(canary, erasure.pk, now)
            transaction.set_rollback(True)  # killed before the commit
        if steps in (3, 9):
            send("track", track(f"late-{steps}", userId=USER, properties={"note": CANARY}))
        with workspace_scope(canary):
            more = do_step(canary, erasure.pk, now)
        steps += 1
    with workspace_scope(canary):
        assert rows_with(*words_of(canary)) == [] and steps > 30


def test_what_was_written_while_they_were_erased_is_found_by_the_second_pass(canary: Workspace, media: Path) -> None:
    with workspace_scope(canary):
        erasure = ask_erasure(EndUser.objects.get(external_id=USER))
        run_erasure(canary, erasure.pk)
        name = EventName.objects.get(name="Order Completed")
        Event.objects.create(
            workspace=canary, end_user_id=person_id(canary.pk, USER), client_at=datetime(2026, 8, 1, tzinfo=UTC),
            event_id=uuid.uuid4(), at=timezone.now(), received_at=timezone.now(), name=name, message_id=CANARY,
        )  # fmt: skip
        assert due_erasures(timezone.now()) == [], "it waits for whoever had begun to write"
        assert due_erasures(timezone.now() + LATER) == [erasure.pk]
        run_erasure(canary, erasure.pk, timezone.now() + LATER)
        assert rows_with(*words_of(canary)) == []


def test_the_second_pass_waits_for_a_night_that_began_before(canary: Workspace, media: Path) -> None:
    lock = {"key": NIGHT_LOCK.format(canary.pk)}
    with workspace_scope(canary):
        erasure = ask_erasure(EndUser.objects.get(external_id=USER))
    run_erasure(canary, erasure.pk)
    execute("select pg_advisory_lock(hashtextextended(%(key)s, 0))", lock)
    run_erasure(canary, erasure.pk, timezone.now() + LATER)
    execute("select pg_advisory_unlock(hashtextextended(%(key)s, 0))", lock)
    with workspace_scope(canary):
        assert Erasure.objects.get().state == "settling"
    run_erasure(canary, erasure.pk, timezone.now() + LATER)
    with workspace_scope(canary):
        assert Erasure.objects.get().state == "done"


def test_numbers_that_were_told_stay_and_the_next_night_tells_that_somebody_left(
    canary: Workspace, media: Path
) -> None:
    day = date(2026, 8, 2)
    with workspace_scope(canary):
        campaign = Campaign.objects.get()
        Delivery.objects.update(arm="treated", state="sent", converted_at=timezone.now(), revenue_minor=500)
        told = report(campaign)
        standings = Standing.objects.count()
        joined = StageChange.objects.filter(from_stage="", day=day).count()
    erase(canary)
    run_night(canary, day + timedelta(days=1), "command")
    with workspace_scope(canary):
        assert report(campaign) == told
        assert StageChange.objects.filter(from_stage="", day=day).count() == joined
        left = StageChange.objects.get(to_stage="")
        assert left.day == day + timedelta(days=1) and not EndUser.objects.filter(pk=left.end_user_id).exists()
        assert Standing.objects.count() == standings - 1


def test_an_address_of_theirs_is_not_written_to_whoever_brings_it(canary: Workspace, media: Path) -> None:
    erase(canary)
    builders.person(canary, "partner", email=EMAIL.upper(), attributes={"note": "x"})
    with workspace_scope(canary):
        segment = Segment.objects.get()
        reach = measure_reach(segment).reach["email"]
        assert (reach.reachable, reach.reasons.get("suppressed")) == (0, 1)
        assert not Suppression.objects.filter(address__contains="mail.example").exists()
        assert release("email", EMAIL)
        assert measure_reach(segment).reach["email"].reachable == 1


def test_an_id_can_be_let_in_again_as_somebody_new(canary: Workspace, as_role: Any, send: Any, media: Path) -> None:
    erase(canary)
    owner = as_role("owner")
    for _again in range(2):
        owner.post("/w/acme/erasures/readmit/", {"external_id": USER})
    assert send("track", track("m30", userId=USER)).json()["accepted"] == 1
    with workspace_scope(canary):
        person = EndUser.objects.get(external_id=USER)
        assert (person.name, person.attributes, Event.objects.filter(end_user=person.pk).count()) == ("", {}, 1)
        assert AuditEntry.objects.filter(action="people.readmit").count() == 1


def test_the_page_erases_only_whose_id_was_typed(canary: Workspace, as_role: Any, media: Path) -> None:
    pk = person_id(canary.pk, USER)
    admin = as_role("admin")
    assert f"Type {USER}" in admin.get(f"/w/acme/users/{pk}/", headers={"Accept-Language": "en"}).content.decode()
    admin.post(f"/w/acme/users/{pk}/erase/", {"confirm": "another"})
    with workspace_scope(canary):
        assert not Erasure.objects.exists()
    answer = admin.post(f"/w/acme/users/{pk}/erase/", {"confirm": USER})
    assert answer["Location"] == "/w/acme/erasures/"
    with workspace_scope(canary):
        run_erasure(canary, Erasure.objects.get().pk)
    assert admin.get(f"/w/acme/users/{pk}/").status_code == 404
    assert CANARY not in admin.get("/w/acme/erasures/").content.decode()


def test_a_program_erases_and_asks_how_far_it_is(canary: Workspace, world: Any, client: Any, media: Path) -> None:
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    assert client.post("/api/v1/users/nobody/erase", headers=headers).status_code == 404
    asked = client.post(f"/api/v1/users/{VISITOR}/erase?visitor=1", headers=headers)
    assert (asked.status_code, asked.json()["state"]) == (202, "due")
    with workspace_scope(canary):
        run_erasure(canary, Erasure.objects.get().pk)
        run_erasure(canary, Erasure.objects.get().pk, timezone.now() + LATER)
    told = client.get(f"/api/v1/erasures/{asked.json()['id']}", headers=headers).json()
    assert told["state"] == "done" and told["rows"] > 20
    assert client.get(f"/api/v1/users/{USER}", headers=headers).status_code == 404
    assert client.post(f"/api/v1/users/{USER}/readmit", headers=headers).json() == {"readmitted": True}
    with workspace_scope(canary):
        told = AuditEntry.objects.filter(action__in=["people.erase", "people.readmit"])
        assert [entry.detail for entry in told] == [{"key": "backend"}] * 2


def test_an_export_of_a_person_has_every_table_about_people(
    canary: Workspace, world: Any, client: Any, media: Path
) -> None:
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    answer = client.get(f"/api/v1/users/{USER}/export", headers=headers)
    told = json.loads(b"".join(answer.streaming_content))
    assert set(told["ids"]) == {str(person_id(canary.pk, USER)), str(person_id(canary.pk, VISITOR, "anonymous"))}
    tables = {model._meta.db_table for model in registered()}
    assert set(told["tables"]) == tables - {"touched"}, "which names people in lists, for the night"
    assert [name for name, rows in told["tables"].items() if not rows] == []
    assert {row["name"] for row in told["tables"]["event"]} == {"Order Completed"}
    assert told["tables"]["consent"][0]["source"] and told["tables"]["delivery"][0]["campaign"] == "promo"
    with workspace_scope(canary):
        assert AuditEntry.objects.filter(action="people.export").count() == 1


@pytest.mark.django_db(transaction=True)
def test_people_who_are_erased_while_their_messages_arrive_do_not_come_back(media: Path) -> None:
    """Writers tell of twenty people all the time, half of whom are erased meanwhile; nobody gets an error."""
    workspace = make_world().acme
    names = [f"{CANARY}-{n}" for n in range(20)]
    stop, errors = threading.Event(), []
    with workspace_scope(workspace):
        record_events(workspace, [news for name in names for news in told(name, 0)])

    def write(order: int) -> None:
        try:
            for n in itertools.count(order, 2):
                if stop.is_set():
                    return
                record_events(workspace, [news for name in names for news in told(name, n)])
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=[order]) for order in (1, 2)]
    for thread in threads:
        thread.start()
    with workspace_scope(workspace):
        erasures = [ask_erasure(person).pk for person in EndUser.objects.filter(external_id__in=names[:10])]
    for pk in erasures:
        run_erasure(workspace, pk)
    stop.set()
    for thread in threads:
        thread.join()
    for pk in erasures:
        run_erasure(workspace, pk, timezone.now() + LATER)
    with workspace_scope(workspace):
        assert errors == [] and len(erasures) == 10
        assert set(EndUser.objects.values_list("external_id", flat=True)) == set(names[10:])
        gone = [str(person_id(workspace.pk, name)) for name in names[:10]]
        assert rows_with(*gone, *(f"{name} " for name in names[:10])) == []
        assert Event.objects.values("end_user").distinct().count() == 10
        assert Erasure.objects.filter(state="done").count() == 10


def told(name: str, n: int) -> list[Any]:
    key, at = PersonKey(name), datetime(2026, 8, 1, tzinfo=UTC) + timedelta(seconds=n)
    traits = {"name": f"{name} said", "n": n}
    return [NormalEvent(key, "App Opened", f"{name}-{n}", at, at), NormalProfile(key, at, traits)]


def test_an_id_that_nobody_erased_costs_one_look(acme: Workspace) -> None:
    """And none at all for people who are there: only those who are new are looked for among the erased."""
    with workspace_scope(acme):
        record_events(acme, told("ann", 0))
        with CaptureQueriesContext(connection) as known:
            record_events(acme, told("ann", 1))
        with CaptureQueriesContext(connection) as new:
            record_events(acme, told("bo", 1))
    assert not [query for query in known if "erased" in query["sql"]]
    assert len([query for query in new if "erased" in query["sql"]]) == 1
