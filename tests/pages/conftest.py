"""A workspace with something to tell: a dozen people over two months, and the nights of its last two days."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace

from ops_platform.nightly import run_night
from tests import builders
from tests.conftest import ground
from workspaces.models import Workspace

LAST = date(2026, 8, 31)


def days_before(*days: int) -> list[str]:
    return [(LAST - timedelta(days=n)).isoformat() for n in days]


def fill(workspace: Workspace) -> None:
    """Regulars, one who slips with money, one who churned yesterday, newcomers, and one who only looks."""
    for external_id, name, source in (
        ("reg1", "张伟", "自然"),
        ("reg2", "王芳", "小红书"),
        ("slip", "李娜", "自然"),
        ("gone", "刘洋", "信息流B"),
        ("new1", "陈静", "老带新"),
        ("new2", "杨磊", "老带新"),
        ("look", "赵敏", ""),
    ):
        builders.person(
            workspace, external_id, "2026-06-01", name=name, source=source, email=f"{external_id}@mail.test"
        )
    for who, days in {
        "reg1": range(0, 60, 4),
        "reg2": range(0, 60, 5),
        "slip": range(10, 70, 4),
        "gone": range(14, 70, 4),
    }.items():
        for day in days_before(*days):
            builders.event(workspace, who, "Order Completed", day, total=50)
    for who in ("new1", "new2"):
        builders.event(workspace, who, "Order Completed", days_before(12)[0], total=30)
    builders.event(workspace, "look", "App Opened", days_before(3)[0])


@ground
def told(world: SimpleNamespace) -> SimpleNamespace:
    """The world, with acme filled and computed up to 2026-08-31."""
    Workspace.objects.filter(pk=world.acme.pk).update(frozen_on=LAST)
    world.acme.refresh_from_db()
    fill(world.acme)
    for day in (LAST - timedelta(days=1), LAST):
        run_night(world.acme, day)
    world.acme.refresh_from_db()
    return world


@ground
def bought(world: SimpleNamespace) -> Workspace:
    """ann bought on three days of the last ninety, bob on two: with two days to a habit, bob has it too."""
    for who, days in {"ann": ("06-20", "07-10", "08-10"), "bob": ("07-20", "08-15")}.items():
        for day in days:
            builders.event(world.acme, who, "Order Completed", f"2026-{day}", total=20)
    run_night(world.acme, date(2026, 8, 20))
    return world.acme
