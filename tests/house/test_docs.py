"""The documents say what the code says: every setting, permission and extension has its place."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from campaigns.channels import all_channels
from lifecycle.stages import all_stages
from scripts.permission_docs import text
from segmentation.conditions import all_conditions
from users.export_kinds import all_kinds
from workspaces.rules import PRESETS, Rules

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_environment_variable_is_documented() -> None:
    used = set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", (ROOT / "ops_platform/settings.py").read_text()))
    documented = set(re.findall(r"`([A-Z_]{4,})`", read("settings.md")))
    assert used - documented == set() and documented - used - {"DATABASE_URL", "WARNING", "EMBEDDED"} == set()


def test_the_permission_table_is_the_one_in_the_code() -> None:
    assert read("permissions.md") == text(), "run `python -m scripts.permission_docs`"


@pytest.mark.parametrize(
    ("document", "keys"),
    [
        ("how-to/add-a-channel.md", sorted(all_channels())),
        ("how-to/add-a-condition.md", sorted(all_conditions())),
        ("how-to/add-a-stage.md", sorted(all_stages())),
        ("how-to/add-a-preset.md", sorted(PRESETS)),
        ("definitions.md", sorted(PRESETS)),
        ("settings.md", sorted(Rules().as_dict())),
        ("how-to/fetch-a-list.md", sorted(all_kinds())),
    ],
)
def test_every_extension_is_named_in_its_how_to(document: str, keys: list[str]) -> None:
    page = read(document)
    assert [key for key in keys if f"`{key}`" not in page] == []


def test_every_list_of_channels_names_them_all() -> None:
    """Those that the how-to names: some packages cannot look at the folder, and some give each a word or a column."""
    from ops_platform import names, people_filters
    from segmentation.conditions import reachable
    from users import consent, csv_people, import_kinds

    lists = [
        consent.CHANNELS,
        csv_people.CHANNELS.values(),
        import_kinds.CONSENTS.values(),
        [option.key for option in reachable.CHANNELS],
        reachable.ADDRESSES,
        people_filters.ADDRESSES,
        names.CHANNELS,
    ]
    assert [set(some) for some in lists] == [set(all_channels())] * len(lists)


def test_every_fact_is_defined() -> None:
    from segmentation.conditions.fact import FACTS

    page = read("definitions.md")
    assert [key for key in FACTS if f"`{key}`" not in page] == []


def test_what_documents_name_is_there() -> None:
    """Files, by the end of their path, and constants."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    code = "\n".join((ROOT / name).read_text() for name in tracked if name.endswith((".py", ".sh", ".yml")))
    constants = set(re.findall(r"\b[A-Z][A-Z_]{3,}\b", code)) | {"LICENSE", "DELETE"}
    missing = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in [ROOT / "STYLE.md", ROOT / "CONTRIBUTING.md", ROOT / "README.md", *DOCS.rglob("*.md")]
        for quoted in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
        for name in re.findall(r"[\w./-]+/[\w-]+\.(?:py|sql|css|md)\b|^[A-Z][A-Z_]{3,}$", quoted)
        if not (("/" in name and any(f"/{path}".endswith(f"/{name}") for path in tracked)) or name in constants)
    ]
    assert missing == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)} → {target}"
        for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
        for target in re.findall(r"\]\((?!http|#|mailto)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
