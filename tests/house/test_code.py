"""Tests about the code itself: what may import, open, escape and be called what."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
from django.apps import apps

from workspaces.models import TenantModel

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("workspaces", "users", "lifecycle", "segmentation", "campaigns", "ops_platform")
SOURCES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts and "__pycache__" not in path.parts
)
SQL = sorted(path for package in PACKAGES for path in (ROOT / package / "sql").glob("*.sql"))
NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]

# The escape from the tenant manager: where it is made, and the two doors that look for the row that proves a right.
MAY_LEAVE_THE_SCOPE = {"workspaces/models.py", "workspaces/middleware.py", "workspaces/authentication.py"}
MAY_OPEN_SOCKETS = {
    "campaigns/channels",
    "campaigns/local_",
    "ops_platform/serving.py",
    "ops_platform/web",
    "ops_platform/embedded",
    "ops_platform/demo",
}
SOCKETS = {"socket", "smtplib", "httpx", "requests", "http", "aiosmtpd", "ssl"}


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def test_imports_only_look_left() -> None:
    order = {name: place for place, name in enumerate(PACKAGES)}
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in SOURCES
        for module in imports_of(path)
        if (own := path.relative_to(ROOT).parts[0]) and order.get(module.split(".")[0], -1) > order[own]
    ]
    assert wrong == []


def test_only_doors_leave_the_tenant_scope() -> None:
    users = {name for name, path in zip(NAMES, SOURCES, strict=True) if re.search(r"\.unscoped\b", path.read_text())}
    assert users <= MAY_LEAVE_THE_SCOPE


def test_only_channels_open_sockets() -> None:
    wrong = [
        (name, module)
        for name, path in zip(NAMES, SOURCES, strict=True)
        if not any(name.startswith(place) for place in MAY_OPEN_SOCKETS)
        for module in imports_of(path)
        if module.split(".")[0] in SOCKETS
    ]
    assert wrong == []


def test_no_attic_and_no_signals() -> None:
    attic = [name for name in NAMES if re.search(r"(^|/)(utils?|helpers?|common|misc)(\.py|/)", name)]
    receivers = [name for name, path in zip(NAMES, SOURCES, strict=True) if "@receiver" in path.read_text()]
    assert attic == [] and receivers == []


def test_no_statement_is_built_from_text() -> None:
    """cursor.execute with an f-string or % is allowed nowhere; composed statements come from the segment compiler."""
    wrong = []
    for name, path in zip(NAMES, SOURCES, strict=True):
        for node in ast.walk(ast.parse(path.read_text())):
            calls = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if calls and node.func.attr in ("execute", "raw", "extra"):
                first = node.args[0] if node.args else None
                if isinstance(first, ast.JoinedStr | ast.BinOp):
                    wrong.append(f"{name}:{node.lineno}")
    # SET LOCAL ROLE takes no parameter: the name is read from the server a moment before. COPY column lists are constants.
    allowed = ("workspaces/scoping.py", "ops_platform/embedded/")
    assert [place for place in wrong if not place.startswith(allowed)] == []


def tenant_tables() -> set[str]:
    return {model._meta.db_table for model in apps.get_models() if issubclass(model, TenantModel)}


@pytest.mark.parametrize("path", SQL, ids=lambda path: path.stem)
def test_a_sql_file_explains_itself_and_carries_the_workspace(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("--"), "a header says what, parameters, index relied on, why not the ORM"
    code = re.sub(r"--.*", "", text)
    assert "%(workspace)s" in code
    tables = re.findall(r"\b(?:from|join|update|into)\s+([a-z_]+)\b(?!\s*\()", code)
    used = [table for table in tables if table in tenant_tables()]
    filters = len(re.findall(r"workspace_id\s*=\s*%\(workspace\)s|%\(workspace\)s", code))
    assert filters >= len(set(used)), f"{len(set(used))} tenant tables, {filters} mentions of the workspace"


def test_the_night_looks_people_up_without_showing_whose_they_are() -> None:
    """The planner believes a workspace that it sees, and that the statistics have not met, to be empty: a look-up by person
    then reads all of it, for each person (docs/decisions/011)."""
    shown = re.compile(r"\b(?:end_user_)?id = \w+\.\w+ and workspace_id = %\(workspace\)s")
    night = [path for path in SQL if path.parts[-3] in ("users", "lifecycle", "segmentation")]
    night += [ROOT / "users" / f"{name}.py" for name in ("night", "fold", "spells", "chunks", "ahead")]
    assert [path.name for path in night if shown.search(path.read_text())] == []
    assert sum("(select %(workspace)s::uuid)" in path.read_text() for path in night) > 20


def test_every_task_about_a_workspace_goes_through_the_door() -> None:
    from ops_platform.celery import app
    from workspaces.task_base import WorkspaceTask

    app.loader.import_default_modules()
    ours = [task for name, task in app.tasks.items() if name.split(".")[0] in PACKAGES]
    outside = {task.name for task in ours if not isinstance(task, WorkspaceTask)}
    # These two look for the workspaces that something is due in, and ring for each of them.
    assert ours and outside <= {"ops_platform.tasks.tick", "ops_platform.tasks.sweep"}


def test_files_and_functions_stay_small() -> None:
    long_files = [name for name, path in zip(NAMES, SOURCES, strict=True) if path.read_text().count("\n") > 400]
    long_functions = [
        f"{name}:{node.name}"
        for name, path in zip(NAMES, SOURCES, strict=True)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert long_files == [] and long_functions == []


def test_nothing_names_a_registry_or_a_place_outside() -> None:
    words = r"pypi\.o" + r"rg|pythonhost" + r"ed|registry\.npm" + r"js|deb\.deb" + r"ian|/wo" + r"rk/|\.\./sha" + r"red"
    found = subprocess.run(["git", "grep", "-nIE", words, "--", "."], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == ""
