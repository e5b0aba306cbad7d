"""A test event, sent from here through the door that SDKs use, for a person who is in no number."""

from __future__ import annotations

import json
import uuid

from django.utils import timezone
from django.utils.translation import gettext as _

from users.ingest import addresses, door
from users.ingest.normal import Result
from users.ingest.protocol import Incoming
from users.models import person_id
from users.profiles import exclude
from workspaces.models import AccessKey, Operator, Workspace

TEST_USER, TEST_EVENT, LIBRARY = "test-user", "Test Event", "test"


def send_test_event(workspace: Workspace, by: Operator) -> Result:
    """Store one event of the person `test-user`, who is excluded from the numbers; returns what became of it."""
    now = timezone.now()
    message = {
        "event": TEST_EVENT,
        "userId": TEST_USER,
        "messageId": str(uuid.uuid4()),
        "timestamp": now.isoformat(),
        "context": {"library": {"name": LIBRARY}},
        "properties": {"sent_by": by.email, "from": "connect"},
    }
    address = addresses.find("/v1/track")
    assert address is not None
    request = door.open_request(address, Incoming("POST", "/v1/track", {}, {}, json.dumps(message).encode()))
    # Whoever is logged in needs no key: this one stands for them and is stored nowhere.
    key = AccessKey(workspace=workspace, kind="write", last_used_at=now)
    [[result]] = door.store([door.read_all(key, request)])
    exclude([person_id(workspace.pk, TEST_USER)], _("test events"), by)
    return result
