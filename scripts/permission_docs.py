"""Writes docs/permissions.md from the table in workspaces/permissions.py; a test holds the two together."""

from pathlib import Path

from workspaces.permissions import ACTIONS, ROLES

HEAD = """# Who may do what

Made from `workspaces/permissions.py` by `python -m scripts.permission_docs`. Strangers to a workspace get 404 for every
URL in it; a member without the permission gets 403.

API keys carry one of the same roles, and never may do more than whoever made them, who has seen the secret: an admin makes
no key of an owner, and with a member's role, or membership, go the API keys that go beyond what is left to them. Whatever
must outlive its maker gets its key from somebody who stays, or from the command line, whose keys are nobody's. Write keys
stay: they stand in every page and app, and only send events.

"""


def text() -> str:
    rows = ["| action | " + " | ".join(ROLES) + " |", "|---|" + "---|" * len(ROLES)]
    for action, who in ACTIONS.items():
        rows.append(f"| `{action}` | " + " | ".join("✓" if role in who else "" for role in ROLES) + " |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path(__file__).resolve().parent.parent.joinpath("docs", "permissions.md").write_text(text())
