"""What was refused, kept where a developer finds it: the last few hundred items, each with its reason."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from users.ingest.normal import Result
from users.models import IngestError
from workspaces.models import Workspace
from workspaces.sql import run_sql

KEPT = 200
# One request with thousands of bad items must not push everybody else's reasons out.
KEPT_PER_REQUEST = 20
EXAMPLE_BYTES = 2_000


def keep_rejects(workspace: Workspace, bad: Sequence[tuple[bytes, Result]], library: str, at: datetime) -> None:
    """Remember refused items (raw bytes and reason) in the open scope, and let the oldest go."""
    if not bad:
        return
    IngestError.objects.bulk_create(
        [
            IngestError(
                id=uuid.uuid4(),
                workspace=workspace,
                code=reason.code,
                message=f"{reason.path}: {reason.message}"[:300] if reason.path else reason.message[:300],
                example=raw[:EXAMPLE_BYTES].decode("utf-8", "replace").replace("\0", ""),
                library=library[:100],
                at=at,
            )
            for raw, reason in bad[:KEPT_PER_REQUEST]
        ]
    )
    run_sql("users/forget_rejects", kept=KEPT)
