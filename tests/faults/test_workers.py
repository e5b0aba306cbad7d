"""A real worker of Celery, of the kind the product starts, takes what is rung for; the tables tell what became of it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from kombu import Connection

from ops_platform.celery import app
from ops_platform.serving import Children
from tests.users.test_imports import queue, write_file
from users.models import Event, Import
from users.tasks import run_imports
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .cluster import Cluster, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


def test_a_forked_worker_takes_in_a_file(
    cluster: Cluster, shop: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes are daemons, which may not have children of every kind."""
    with cluster.here():
        workspace = Workspace.objects.get(pk=shop.id)
        file = queue(workspace, write_file(tmp_path, [f"u{n % 30},2026-08-01,{n}.50" for n in range(300)]))

    def state() -> str:
        with cluster.here(), workspace_scope(workspace):
            return Import.objects.get(pk=file.pk).state

    with Children() as children:
        with monkeypatch.context() as patch:
            for name, value in (
                ("DATABASE_URL", cluster.url), ("DATABASE_ROLE", "app"), ("REDIS_URL", cluster.redis_url),
                ("DJANGO_SETTINGS_MODULE", "ops_platform.settings"),
            ):  # fmt: skip
                patch.setenv(name, value)
            celery = [sys.executable, "-m", "celery", "-A", "ops_platform", "worker", "--concurrency", "1"]
            children.start(*celery, "--loglevel", "warning")
        url = cluster.redis_url.replace("unix://", "redis+socket://")
        with Connection(url, transport_options=app.conf.broker_transport_options) as broker:
            app.send_task(run_imports.name, [str(workspace.pk)], connection=broker)
        wait_for(lambda: state() not in ("due", "running"), 60, "the file was not taken in")
    assert state() == "done"
    with cluster.here(), workspace_scope(workspace):
        assert Event.objects.count() == 300
