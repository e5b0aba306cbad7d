"""What a channel's result means for a delivery: its next state, and how long it waits. No database."""

from __future__ import annotations

from typing import Any

from campaigns.channels import Result

MOST_ATTEMPTS = 8
FIRST_RETRY_SECONDS = 30
SLOWEST_RETRY_SECONDS = 3600
# A provider that says to come again in year 9999 means another thing; and of later ones the database knows more than Python.
LONGEST_WAIT_SECONDS = 86_400
REASONS = {"sent": "", "failed": "refused", "unknown": "no_answer", "deferred": "deferred"}


def outcome(result: Result, attempts: int) -> dict[str, Any]:
    """A result as the row that record_results.sql reads. Deferred rows wait twice as long each time, then give up."""
    state, reason, wait = str(result.outcome), REASONS[result.outcome], 0.0
    if state == "deferred" and attempts >= MOST_ATTEMPTS:
        state, reason = "failed", "gave_up"
    elif state == "deferred":
        wished = min(result.retry_after_seconds or 0, LONGEST_WAIT_SECONDS)
        wait = wished or min(FIRST_RETRY_SECONDS * 2 ** (attempts - 1), SLOWEST_RETRY_SECONDS)
    return {
        "delivery_id": str(result.delivery_id),
        "state": state,
        "reason": reason,
        "detail": "" if state == "sent" else storable(f"{result.code} {result.detail}".strip(), 300),
        "provider_ref": storable(result.provider_ref, 200),
        "wait_seconds": wait,
    }


def storable(text: str, limit: int) -> str:
    """A provider's words as PostgreSQL can keep them: no NUL, no half characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:limit]
