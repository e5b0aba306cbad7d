"""CDNOW: 6,919 real purchases of 2,357 real customers, read as a file from the `lifetimes` wheel and taken in as a CSV."""

from __future__ import annotations

import io
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from django.core.management import call_command

from campaigns.local_servers import LocalInbox
from ops_platform.demo.steps import Steps
from ops_platform.nightly import run_night
from users.mapping import apply_preset
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import create_workspace

SLUG = "cdnow"
DAY = date(1998, 6, 30)
# The sample's own customer number, the day, dollars; the CDs bought stay a property.
MAPPING = ["external_id=2:int", "time=3:%Y%m%d", "cds=4", "amount=5"]


def sample_file() -> Path:
    """CDNOW_sample.txt, without importing the package (it no longer imports). Raises FileNotFoundError with the remedy."""
    spec = find_spec("lifetimes")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "datasets" / "CDNOW_sample.txt"
        if path.exists():
            return path
    raise FileNotFoundError("The lifetimes wheel is not installed: run `make setup`.")


def build(steps: Steps, address: str, inbox: LocalInbox) -> Workspace:
    """Fill workspace `cdnow` through the CSV import and run its night."""
    workspace = create_workspace(SLUG, "CDNOW", "UTC", "USD", "ecommerce", DAY)
    with workspace_scope(workspace):
        apply_preset(workspace.industry)
    with steps("import CDNOW through the CSV import"):
        options = {"workspace": SLUG, "map": MAPPING, "skip": ["1"], "delimiter": "whitespace", "header": False}
        call_command("import_events", str(sample_file()), event="Order Completed", stdout=io.StringIO(), **options)
    with steps(f"{DAY}: the night"):
        run_night(workspace, DAY, "demo")
    return workspace
