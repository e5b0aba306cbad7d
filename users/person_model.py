"""Tables about people: their base, and the ids that people and events go by."""

from __future__ import annotations

import uuid
from hashlib import sha1

from django.db import models

from workspaces.models import TenantModel, Workspace


def person_id(workspace_id: uuid.UUID, external_id: str, kind: str = "user") -> uuid.UUID:
    """The id of a person: uuid5(workspace, "kind:external id"), so that ingest needs no look-up and retries are harmless."""
    digest = sha1(workspace_id.bytes + f"{kind}:{external_id}".encode(), usedforsecurity=False).digest()
    return uuid.UUID(bytes=digest[:16], version=5)


def event_id(workspace_id: uuid.UUID, message_id: str) -> uuid.UUID:
    """The id of an event: uuid5 of its message id within the workspace."""
    return person_id(workspace_id, message_id, "message")


class PersonModel(TenantModel):
    """Base of tables about people. No database foreign keys: these tables are the ones that get distributed one day."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta(TenantModel.Meta):
        abstract = True


def to_person() -> models.ForeignKey:
    return models.ForeignKey(
        "users.EndUser", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
