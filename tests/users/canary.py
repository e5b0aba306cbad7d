"""One person with a word of theirs in every text field of every table, and where such words are looked for."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import redis
from django.conf import settings as django_settings
from django.contrib.postgres.fields import ArrayField
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, models
from django.utils import timezone

from campaigns.models import Campaign, Run, Suppression
from ops_platform.nightly import run_night
from segmentation.models import Segment
from segmentation.services import create_segment
from users.erasure import ask_erasure, run_erasure
from users.export_kinds import all_kinds
from users.export_run import ask_export, path_of, run_export
from users.identity import merge_pending
from users.import_run import run_import
from users.imports import mapping_of, receive_file, start_import
from users.models import EndUser, Erasure, Export, PersonNews, Touched, person_id
from users.person_model import PersonModel
from users.person_tables import registered
from users.profiles import exclude, include
from users.services import set_consent
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope

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


def plant(world: Any, send: Any) -> Workspace:
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
            if model not in (Touched, PersonNews, EndUser) and not model.objects.filter(end_user=person.pk).exists():
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
        return {"run": run.pk, "segment": segment.pk, "name": 1, "change": run.pk}[field.name]
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
