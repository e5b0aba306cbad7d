"""Keyed hashes that stay of erased people: enough to know an id or an address again, and nothing to turn back.

The plain ids of people would not do: they are hashes without a key, and whoever has the database could try phone numbers.
"""

from __future__ import annotations

import hmac
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b, sha256

from django.conf import settings
from django.db.models import F

from users.ingest.normal import NormalAlias, NormalProfile, PersonKey, Result, Told
from users.models import ErasedId
from users.person_model import person_id
from workspaces.scoping import current_workspace
from workspaces.sql import run_sql

ERASED = Result("erased", "erased", "This person was erased: what is told of them is not kept.")
BLOCK = 64


def mark_of(person: uuid.UUID) -> uuid.UUID:
    """The mark of a person's id. The id has the workspace in it already."""
    return uuid.UUID(hex=marks_in_hex([person.hex])[0])


def marks_in_hex(ids: Iterable[str]) -> list[str]:
    """The marks of ids, both in hex. BLAKE2b has a key built in and costs a tenth of HMAC: a batch may bring thousands."""
    secret = sha256(key()).digest()
    return [blake2b(bytes.fromhex(pk), key=secret, digest_size=16).hexdigest() for pk in ids]


def key() -> bytes:
    return settings.ERASURE_KEY.encode()


def pads() -> dict[str, bytes]:
    """The two halves of HMAC-SHA-256, so that SQL can hash whole columns: sha256(outer || sha256(inner || text))."""
    block = (sha256(key()).digest() if len(key()) > BLOCK else key()).ljust(BLOCK, b"\0")
    return {"inner": bytes(b ^ 0x36 for b in block), "outer": bytes(b ^ 0x5C for b in block)}


def address_mark(address: str) -> str:
    """What stands on the suppression list instead of an erased person's address."""
    return "erased:" + hmac.digest(key(), address.strip().lower().encode(), "sha256").hex()


def address_mark_sql(address: str, inner: str = "%(inner)s", outer: str = "%(outer)s") -> str:
    """The same in SQL, of an expression; `inner`, `outer`: where `pads` stand."""
    return f"'erased:' || encode(sha256({outer} || sha256({inner} || convert_to(lower({address}), 'UTF8'))), 'hex')"


def erased_among(ids: Iterable[str]) -> frozenset[str]:
    """Which of some ids (in hex), of people who are not there, were erased. Next to nothing where nobody was."""
    if not ErasedId.objects.exists():
        return frozenset()
    ids = list(ids)
    marks = dict(zip(marks_in_hex(ids), ids, strict=True))
    found = run_sql("users/erased_among", marks=f"{{{','.join(marks)}}}")
    return frozenset(marks[row["mark"].hex] for row in found)


def keep_out(items: Sequence[Told], erased: Collection[str]) -> list[bool]:
    """Which of the items name somebody who was erased; counts them, once each. `erased`: their ids in hex."""
    workspace = current_workspace()
    whom = [
        next(
            (pk for one in named_by(item) if (pk := person_id(workspace.pk, one.external_id, one.kind)).hex in erased),
            None,
        )
        for item in items
    ]
    for pk, messages in sorted(Counter(pk for pk in whom if pk).items()):
        ErasedId.objects.filter(mark=mark_of(pk)).update(dropped=F("dropped") + messages)
    return [pk is not None for pk in whom]


def named_by(item: Told) -> list[PersonKey]:
    """Everybody whom an item names."""
    if isinstance(item, NormalAlias):
        return [item.person, item.previous]
    visitor = item.visitor if isinstance(item, NormalProfile) else ""
    return [item.person, PersonKey(visitor, identified=False)] if visitor else [item.person]


def marks_of(external_id: str) -> list[uuid.UUID]:
    """The marks of an id as a user's and as a visitor's: messages tell the same id as either."""
    workspace = current_workspace()
    return [mark_of(person_id(workspace.pk, external_id, kind)) for kind in ("user", "anonymous")]


def mark_erased(external_ids: Iterable[str]) -> None:
    workspace = current_workspace()
    marks = sorted({mark for one in external_ids for mark in marks_of(one)})
    rows = [ErasedId(workspace=workspace, mark=mark) for mark in marks]
    ErasedId.objects.bulk_create(rows, ignore_conflicts=True)


def readmit(external_id: str) -> bool:
    """Take an erased id in again from now on; False when it was not kept out."""
    return bool(ErasedId.objects.filter(mark__in=marks_of(external_id))._raw_delete("default"))
