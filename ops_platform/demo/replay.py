"""The shop's last days, sent as a product would send them: Segment's own Python client, over HTTP, in batches."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from workspaces.errors import DomainError


def send(events: pd.DataFrame, address: str, write_key: str) -> int:
    """Send events (message_id, external_id, event, at, properties) to `address`; returns how many.

    Raises DomainError when the server refused any: the client's error callback says what.
    """
    from segment.analytics.client import Client  # a development dependency

    refused: list[Any] = []
    client = Client(
        write_key,
        host=address,
        on_error=lambda error, _items: refused.append(error),
        max_queue_size=len(events) + 1,
        upload_size=100,
        thread=2,
        gzip=True,
    )
    for row in events.itertuples(index=False):
        client.track(
            user_id=row.external_id or None,
            anonymous_id=row.anonymous_id or None,
            event=row.event,
            properties=json.loads(row.properties),
            timestamp=row.at.to_pydatetime(),
            message_id=row.message_id,
        )
    client.shutdown()
    if refused:
        raise DomainError("refused", f"{len(refused)} batches were refused: {refused[0]}")
    return len(events)
