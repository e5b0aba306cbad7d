"""F9, beside PostgreSQL's own disk and the logs (test_ingest_surroundings.py): no room for the queue's file, or for files
that operators upload and ask for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from users.export_kinds import all_kinds
from users.export_run import ask_export, due_exports, run_export
from users.models import Export, Import
from workspaces.scoping import workspace_scope

from .books import CLEAN, books
from .clients import Clients, events, make_batches
from .cluster import Cluster, LabPostgres, SmallQueue, can_mount, fill, small_folder, wait_for
from .conftest import FULL, only_in_the_lab
from .web import Web

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

TIMES = 3 if FULL else 1
ROWS = b"user_id,event,time\n" + b"u1,App Opened,2026-08-01T10:00:00Z\n" * 60_000


@pytest.fixture(scope="module")
def narrow(django_db_setup: None, django_db_blocker: Any) -> Iterator[Cluster]:
    if not can_mount():
        pytest.skip("NO MOUNT NAMESPACES: no disk could be filled, F9 did not run")
    with django_db_blocker.unblock(), Cluster(LabPostgres, SmallQueue) as running:
        yield running


@only_in_the_lab
def test_f9_without_room_for_the_queue_ingest_goes_on_and_so_does_the_queue_once_there_is(narrow: Cluster) -> None:
    """Full: three times. Valkey refuses what it cannot keep, and takes more within 10 s of there being room."""
    shop, queue = narrow.make_shop(f"f9-{uuid4().hex}"), narrow.valkey
    assert isinstance(queue, SmallQueue)
    process, asked = queue.process, redis.Redis(unix_socket_path=str(queue.socket))
    batches = make_batches(events("F9"))
    with Web(narrow.url, narrow.redis_url) as web, Clients(web.port, shop.key, batches, pace_s=0.05) as clients:
        wait_for(lambda: len(clients.journal.acked) > 100, 20, "nothing is acknowledged")
        for _time in range(TIMES):
            filler = fill(queue.disk())
            wait_for(lambda: not takes(asked), 20, "a full disk is overlooked")
            known = len(clients.journal.acked)
            wait_for(lambda known=known: len(clients.journal.acked) > known + 300, 20, "ingest waits for the queue")
            filler.unlink()
            waited = wait_for(lambda: takes(asked), 10, "the queue does not go on")
            print(f"F9: the queue took more after {waited:.1f} s")
        clients.stop_feeding()
        journal = clients.finish()
    assert books(narrow, shop, journal.acked) == CLEAN
    assert set(journal.statuses()) == {200} and queue.process is process and queue.alive()


def takes(asked: redis.Redis) -> bool:
    """Whether Valkey takes a task of some size."""
    try:
        asked.lpush("tasks", bytes(2**16))
        asked.delete("tasks")
        return True
    except redis.ResponseError:
        return False


@pytest.fixture
def full_folder(settings: Any) -> Iterator[Path]:
    """Where uploads and exports are kept: a disk of 1 MiB without a byte free."""
    if not can_mount():
        pytest.skip("NO MOUNT NAMESPACES: no disk could be filled, F9 did not run")
    with small_folder() as folder:
        settings.MEDIA_ROOT = folder
        fill(folder)
        yield folder


def test_f9_an_upload_without_room_is_told_so_and_leaves_nothing(full_folder: Path, world: Any, client: Client) -> None:
    client.force_login(world.owner)
    address = reverse("users:upload", args=[world.acme.slug])
    answer = client.post(address, {"file": SimpleUploadedFile("events.csv", ROWS)})
    assert answer.status_code == 422 and "服务器空间不足" in answer.content.decode()
    with workspace_scope(world.acme):
        assert not Import.objects.exists()
    assert [path.name for path in full_folder.rglob("*") if path.is_file()] == ["filler"]
    (full_folder / "filler").unlink()
    assert client.post(address, {"file": SimpleUploadedFile("events.csv", ROWS[:2_000])}).status_code == 302


def test_f9_an_export_without_room_fails_and_can_be_asked_for_again(full_folder: Path, world: Any) -> None:
    with workspace_scope(world.acme):
        ask_export(all_kinds()["audit"], {}, world.owner)
    for state in ("failed", "done"):
        with workspace_scope(world.acme):
            due = due_exports(timezone.now())
        for pk in due:
            run_export(world.acme, pk)
        with workspace_scope(world.acme):
            assert Export.objects.latest("asked_at").state == state
            if state == "failed":
                (full_folder / "filler").unlink()
                time.sleep(0.01)
                ask_export(all_kinds()["audit"], {}, world.owner)
