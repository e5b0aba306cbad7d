"""What a file can be about, and what its columns can be then. No database here."""

from __future__ import annotations

from dataclasses import dataclass

TRAITS = ("name", "email", "phone", "city", "source")
CONSENTS = {"consent_email": "email", "consent_sms": "sms", "consent_push": "push"}
PROPERTY, SKIP = "property", "skip"


@dataclass(frozen=True)
class Kind:
    """`others`: what columns are that nobody said anything of."""

    roles: tuple[str, ...]
    required: tuple[str, ...]
    others: str = PROPERTY


KINDS = {
    "events": Kind(
        ("external_id", "event", "time", "amount", "order_id", "message_id", *TRAITS),
        ("external_id", "time"),
    ),
    "orders": Kind(
        ("external_id", "time", "amount", "order_id", "currency", "refund", "message_id", *TRAITS),
        ("external_id", "time", "amount"),
    ),
    "users": Kind(
        ("external_id", *TRAITS, "locale", "zone", "registered_at", "tags", "time", *CONSENTS),
        ("external_id",),
    ),
    "consents": Kind(
        ("external_id", "channel", "opted_in", "time"),
        ("external_id", "channel", "opted_in", "time"),
        SKIP,
    ),
}
# Files of these are about people themselves: they have no events.
ABOUT_PEOPLE = ("users", "consents")
ROLES = tuple(dict.fromkeys(role for kind in KINDS.values() for role in kind.roles))
