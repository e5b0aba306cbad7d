"""Logs are kept longer than people may be, and nobody erases in them: so they say nothing of anybody."""

from __future__ import annotations

import logging
import re

# Addresses of the API name a user by the id the product knows them by, and lists are asked for with what was searched.
# Others are a right of their own to whoever reads them: to join, to choose a password, to unsubscribe somebody.
NAMED = re.compile(r"(/api/v1/users/|/invitation/|/accounts/password/reset/key/|/t/[ocu]/)[^ ?]+|(\?)\S+")
# What PostgreSQL tells of a row that it refused.
ROWS = re.compile(r"(DETAIL:|LINE \d+:)(?:(?!\n\n).)*", re.DOTALL)


class WithoutPeople(logging.Filter):
    """Takes out of a record what may name an end user: ids in addresses, what was searched for, and rows of the database."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        clean = without_people(text)
        if clean != text:
            record.msg, record.args = clean, None
        if record.exc_info and not record.exc_text:
            record.exc_text = without_people(logging.Formatter().formatException(record.exc_info))
        return True


def without_people(text: str) -> str:
    text = NAMED.sub(lambda found: f"{found.group(1) or found.group(2)}…", text)
    return ROWS.sub(r"\1 …", text)
