"""The world every test lives in: two workspaces, an owner, an operator, an analyst and a stranger.

Tests create and migrate their database as the owner role and then run as the app role, so row-level security applies
to them as it does to the product.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.conf import settings
from django.core.management.commands import flush
from django.db import connection, transaction
from django.test import Client
from playwright.sync_api import Browser, sync_playwright

from users.ingest import write
from workspaces.models import Operator, Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import add_member, create_key, create_workspace

PASSWORD = "correct horse battery"


def assume(role: str) -> None:
    connection.close()
    connection.settings_dict["OPTIONS"]["assume_role"] = role


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings, request, django_db_blocker) -> None:  # type: ignore[no-untyped-def]
    """Workers of one run copy the database that the first of them has migrated."""
    worker = getattr(request.config, "workerinput", None)
    if worker:
        with django_db_blocker.unblock():
            migrate_once(worker["testrunuid"])


def migrate_once(run: str) -> None:
    """Make the template of this run unless another worker has; its comment says whose it is, once it is whole."""
    names, test = connection.settings_dict, connection.settings_dict["TEST"]
    own, test["NAME"] = test["NAME"], f"{test['NAME'].rpartition('_')[0]}_template"
    name = test["NAME"]
    with connection.creation._nodb_cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtext(%s))", [name])
        cursor.execute("select shobj_description(oid, 'pg_database') from pg_database where datname = %s", [name])
        if cursor.fetchone() != (run,):
            plain = names["NAME"]
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            connection.close()
            settings.DATABASES["default"]["NAME"] = names["NAME"] = plain
            cursor.execute(f"comment on database {name} is %s", [run])
    test |= {"NAME": own, "TEMPLATE": name}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):  # type: ignore[no-untyped-def]
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush.Command, "handle", flush_as_owner)
        assume("uop_app")
        yield
        assume("uop_owner")


plain_flush = flush.Command.handle


def flush_as_owner(command: flush.Command, **options: object) -> None:
    """Transaction tests truncate between one another; the app role may not. Django does not know the event table."""
    assume("uop_owner")
    write._names.clear()  # what the process remembers of rows that are gone
    with connection.cursor() as cursor:
        cursor.execute("truncate event")
    plain_flush(command, **options)
    assume("uop_app")


def make_world() -> SimpleNamespace:
    """Two workspaces `acme` and `other`, and people with each role in acme; `stranger` belongs to other only."""
    world = SimpleNamespace()
    world.acme = create_workspace("acme", "Acme 商城", zone="Asia/Shanghai", currency="CNY", industry="ecommerce")
    world.other = create_workspace("other", "Other", zone="UTC", currency="USD", industry="ecommerce")
    for role in ("owner", "admin", "operator", "analyst"):
        person = Operator.objects.create_user(f"{role}@acme.test", PASSWORD, name=role.title())
        setattr(world, role, person)
        with workspace_scope(world.acme):
            add_member(person, role)
    world.stranger = Operator.objects.create_user("stranger@other.test", PASSWORD, name="Stranger")
    with workspace_scope(world.other):
        add_member(world.stranger, "owner")
    for workspace in (world.acme, world.other):
        with workspace_scope(workspace):
            setattr(world, f"{workspace.slug}_write_key", create_key("write", "site")[1])
            setattr(world, f"{workspace.slug}_api_key", create_key("api", "backend", role="owner")[1])
    return world


class Recording:
    """The world as it was made the first time, and the statements that made it: once more in one round trip."""

    script = ""
    world: SimpleNamespace

    @classmethod
    def make(cls) -> SimpleNamespace:
        if cls.script:
            with connection.cursor() as cursor:
                cursor.execute(cls.script)
        else:
            said: list[str] = []

            def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
                answer = execute(sql, params, many, context)
                said.append(context["cursor"].query.decode())
                return answer

            with connection.execute_wrapper(listen):
                cls.world = make_world()
            cls.script = ";".join(line for line in said if not line.startswith(("SAVEPOINT", "RELEASE", "SELECT")))
        return copy.deepcopy(cls.world)


class Ground:
    """Rows that many tests begin with, made once for those that come one after the other: each undoes its own on top of
    them, and the last undoes them, for they hold locks."""

    makers: ClassVar[dict[str, Callable[[SimpleNamespace], Any]]] = {}
    name = following = ""
    world: SimpleNamespace
    made: Any
    copied: dict[int, Any]
    undo = ExitStack()

    @classmethod
    def take(cls, name: str) -> None:
        if name == cls.name:
            return
        cls.undo.close()
        cls.name = ""
        if name:
            with ExitStack() as undo:
                undo.enter_context(transaction.atomic())
                undo.callback(transaction.set_rollback, True)
                cls.world = Recording.make()
                cls.made = cls.makers[name](cls.world)
                cls.undo, cls.name = undo.pop_all(), name

    @classmethod
    def of(cls, test: pytest.Item | None) -> str:
        """The ground among the fixtures of a test; a parameter may have the same name."""
        names = set(getattr(test, "fixturenames", ())) - set(getattr(getattr(test, "callspec", None), "params", ()))
        return next((name for name in cls.makers if name in names), "")


def ground(make: Callable[[SimpleNamespace], Any]) -> Any:
    """A fixture from the world (not from fixtures) that is made once; no other fixture anywhere has its name."""
    assert make.__name__ not in Ground.makers
    Ground.makers[make.__name__] = make

    def use(world: SimpleNamespace) -> Any:
        return copy.deepcopy(Ground.made, Ground.copied)

    return pytest.fixture(use, name=make.__name__)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=Ground.of)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    Ground.following = Ground.of(nextitem)


@pytest.fixture
def _django_db_helper(on_its_ground, _django_db_helper):  # type: ignore[no-untyped-def]
    """The transaction of a test begins on its ground."""


@pytest.fixture
def on_its_ground(request, django_db_setup, django_db_blocker) -> Iterator[None]:  # type: ignore[no-untyped-def]
    with django_db_blocker.unblock():
        Ground.take(Ground.of(request.node))
    yield
    if Ground.following != Ground.name:
        with django_db_blocker.unblock():
            Ground.take("")


@pytest.fixture
def world(db) -> SimpleNamespace:  # type: ignore[no-untyped-def]
    if not Ground.name:
        return Recording.make()
    Ground.copied = {}
    return copy.deepcopy(Ground.world, Ground.copied)


@pytest.fixture
def acme(world) -> Workspace:  # type: ignore[no-untyped-def]
    return world.acme


@pytest.fixture
def scope(acme):  # type: ignore[no-untyped-def]
    """An open scope on acme for the whole test."""
    with workspace_scope(acme):
        yield acme


@pytest.fixture
def as_role(world, client):  # type: ignore[no-untyped-def]
    """`as_role("analyst")` logs the test client in as that member (or `stranger`) and returns it."""

    def login(role: str) -> Client:
        client.force_login(getattr(world, role))
        return client

    return login


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or the one `make test` names in CHROMIUM. One for all: Playwright runs once in a process."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path or not Path(path).exists():
        pytest.skip("NO BROWSER: install Debian's chromium; the browser part of the suite did not run")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = (
        "true"  # Playwright's sync API keeps an event loop; our threads do not use it
    )
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield running
        running.close()
