"""Everything that is held about one person, table by table: the registry of tables about people says which there are."""

from __future__ import annotations

import itertools
import tempfile
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q, QuerySet

from users.exports import csv_lines
from users.identity import ids_of
from users.models import EndUser, Event
from users.person_model import PersonModel
from users.person_tables import PersonTable, registered
from workspaces.models import Operator, Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import audit

PAGE = 2_000
# Which workspace, and copies that computing needs, say nothing of the person.
LEFT_OUT = {"workspace_id"}
encode = DjangoJSONEncoder(ensure_ascii=False).encode
Row = dict[str, Any]


def begin_export(person: EndUser, by: Operator | None = None) -> list[uuid.UUID]:
    """Note that somebody asked, in the open scope; returns every id of the person, which the export is made of."""
    audit("people.export", str(person.pk), by)
    return [one.pk for one in ids_of(person)]


def sections() -> dict[str, tuple[type[PersonModel], PersonTable]]:
    """The tables of an export by name. One that names people in lists only, for the night, holds nothing about them."""
    found = {model._meta.db_table: (model, table) for model, table in registered().items()}
    return {name: pair for name, pair in found.items() if pair[0] is EndUser or has_person(pair[0])}


def has_person(model: type[PersonModel]) -> bool:
    return any(field.name == "end_user" for field in model._meta.concrete_fields)


def columns_of(model: type[PersonModel], table: PersonTable) -> list[str]:
    own = [field.attname for field in model._meta.concrete_fields if field.attname not in LEFT_OUT]
    return [*own, *(name for name in table.related if name not in own)]


def rows_of(workspace: Workspace, name: str, ids: list[uuid.UUID]) -> Iterator[Row]:
    """The rows of one table, read page by page, each in a scope of its own: an answer can be sent meanwhile."""
    model, table = sections()[name]
    after: Row | None = None
    while True:
        with workspace_scope(workspace):
            page = [as_row(one, model, table) for one in some_rows(model, table, ids, after)]
        yield from page
        if model is not Event or len(page) < PAGE:
            return
        after = page[-1]


def some_rows(model: type[PersonModel], table: PersonTable, ids: list[uuid.UUID], after: Row | None) -> QuerySet:
    """All rows of a table; of events, of which there may be very many, the next page along the key."""
    rows = model.objects.filter(**{"pk__in" if model is EndUser else "end_user__in": ids})
    related = {path.rpartition(".")[0].replace(".", "__") for path in table.related.values()}
    rows = rows.select_related(*sorted(related)) if related else rows
    if model is not Event:
        return rows
    if after:
        later = Q(client_at=after["client_at"], event_id__gt=after["event_id"]) | Q(client_at__gt=after["client_at"])
        rows = rows.filter(Q(end_user__gt=after["end_user_id"]) | Q(later, end_user=after["end_user_id"]))
    return rows.order_by("end_user_id", "client_at", "event_id")[:PAGE]


def as_row(one: PersonModel, model: type[PersonModel], table: PersonTable) -> Row:
    return {name: value_at(one, table.related.get(name, name)) for name in columns_of(model, table)}


def value_at(one: Any, path: str) -> Any:
    for name in path.split("."):
        one = getattr(one, name)
    return one


def json_pieces(workspace: Workspace, ids: list[uuid.UUID]) -> Iterator[str]:
    """All of it as one JSON object, table by table, as pieces of text."""
    yield f'{{"workspace": {encode(workspace.name)}, "ids": {encode(ids)}, "tables": {{'
    for n, name in enumerate(sections()):
        yield f"{', ' if n else ''}{encode(name)}: ["
        for place, row in enumerate(rows_of(workspace, name, ids)):
            yield (",\n" if place else "\n") + encode(row)
        yield "]"
    yield "}}\n"


def zip_file(workspace: Workspace, ids: list[uuid.UUID]) -> IO[bytes]:
    """The JSON, and a CSV of each table that has rows, in one file without a name: it is gone when it is closed."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("person.json", "w", force_zip64=True) as out:
            write(out, json_pieces(workspace, ids))
        for name, (model, table) in sections().items():
            rows = rows_of(workspace, name, ids)
            first = next(rows, None)
            if first is not None:
                with archive.open(f"{name}.csv", "w", force_zip64=True) as out:
                    columns = columns_of(model, table)
                    write(out, csv_lines(columns, cells(first, rows)))
    file.seek(0)
    return file


def cells(first: Row, rest: Iterable[Row]) -> Iterator[list[Any]]:
    for row in itertools.chain([first], rest):
        yield [encode(value) if isinstance(value, dict | list) else value for value in row.values()]


def write(out: IO[bytes], pieces: Iterable[str]) -> None:
    for piece in pieces:
        out.write(piece.encode())
