"""Writes docs/permissions.md from the table in workspaces/permissions.py; a test holds the two together."""

from pathlib import Path

from workspaces.permissions import ACTIONS, ROLES

HEAD = """# Who may do what

Made from `workspaces/permissions.py` by `python -m scripts.permission_docs`. Strangers to a workspace get 404 for every
URL in it; a member without the permission gets 403. API keys carry one of the same roles.

"""


def text() -> str:
    rows = ["| action | " + " | ".join(ROLES) + " |", "|---|" + "---|" * len(ROLES)]
    for action, who in ACTIONS.items():
        rows.append(f"| `{action}` | " + " | ".join("✓" if role in who else "" for role in ROLES) + " |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path(__file__).resolve().parent.parent.joinpath("docs", "permissions.md").write_text(text())
