"""The rows of a workspace as Parquet, for the contenders that read no database: what happened, and who everybody is.

`events-*.parquet`: person (a number), name, at, message_id, properties (JSON text), amount_minor, order_id.
`people.parquet`: person, id, owner (the number of whom they are merged into, or their own), external_id, identified,
excluded, created_at, referred_by, registered (what their attributes say of it).
"""

from __future__ import annotations

import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from workspaces.models import Workspace

NUMBERS = "create table bench.person (number integer generated always as identity, id uuid primary key)"
NEW_NUMBERS = """
insert into bench.person (id)
select id from end_user u where workspace_id = %s and not exists (select from bench.person p where p.id = u.id)
"""
EVENTS = """
select p.number as person, n.name, (extract(epoch from e.at) * 1000000)::bigint as at, e.message_id, e.properties,
    e.amount_minor, e.order_id
from event e
join bench.person p on p.id = e.end_user_id
join event_name n on n.id = e.name_id
where e.workspace_id = %s and e.client_at >= %s and e.client_at < %s and e.received_at > %s
"""
PEOPLE = """
select p.number as person, p.id, o.number as owner, u.external_id, u.identified, u.excluded,
    (extract(epoch from u.created_at) * 1000000)::bigint as created_at,
    u.referred_by, coalesce(u.attributes ->> 'registered_at', u.attributes ->> 'created') as registered
from end_user u
join bench.person p on p.id = u.id
join bench.person o on o.id = coalesce(u.merged_into, u.id)
where u.workspace_id = %s
"""
TYPES = {
    "person": pa.int32(), "owner": pa.int32(), "name": pa.dictionary(pa.int32(), pa.string()), "at": pa.int64(),
    "created_at": pa.int64(), "message_id": pa.string(), "properties": pa.string(), "amount_minor": pa.int64(),
    "order_id": pa.string(), "id": pa.string(), "external_id": pa.string(), "identified": pa.bool_(),
    "excluded": pa.bool_(), "referred_by": pa.string(), "registered": pa.string(),
}  # fmt: skip


class Rows:
    """A folder of Parquet that follows a workspace; `connection` is a superuser's."""

    def __init__(self, workspace: Workspace, folder: Path, connection: Any) -> None:
        self.workspace, self.folder, self.connection = workspace, folder, connection
        self.seen = datetime(1970, 1, 1, tzinfo=workspace.tzinfo)
        with connection, connection.cursor() as cursor:
            cursor.execute(NUMBERS)

    def follow(self, first: date, last: date) -> None:
        """Write what was stored since the last time, of events of the days told and one around, and everybody as they are."""
        pk = self.workspace.pk
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(NEW_NUMBERS, [str(pk)])
            cursor.execute("analyze bench.person")
        day, end = first - timedelta(days=1), last + timedelta(days=2)  # in UTC, and with clocks that are wrong
        while day < end:
            until = min(day + timedelta(days=30), end)
            self.write(f"events-{last:%Y%m%d}-{day:%Y%m%d}", EVENTS, pk, day, until, self.seen)
            day = until
        self.write("people", PEOPLE, pk)
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(
                "select max(received_at) from event where workspace_id = %s and client_at >= %s", [str(pk), first]
            )
            self.seen = cursor.fetchone()[0]

    def write(self, name: str, sql: str, *parameters: object) -> None:
        """The rows of a query as one file, by way of COPY; nothing is held in memory."""
        with tempfile.TemporaryFile() as text:
            with self.connection, self.connection.cursor() as cursor:
                select = cursor.mogrify(sql, [str(value) for value in parameters]).decode()
                cursor.copy_expert(f"copy ({select}) to stdout (format csv, header)", text)
            text.seek(0)
            options = csv.ConvertOptions(column_types=TYPES, strings_can_be_null=True, quoted_strings_can_be_null=False,
                                         true_values=["t"], false_values=["f"])  # fmt: skip
            reader = csv.open_csv(text, csv.ReadOptions(block_size=1 << 24), csv.ParseOptions(), options)
            moments = [n for n in ("at", "created_at") if n in reader.schema.names]
            with parquet.ParquetWriter(self.folder / f"{name}.parquet", timed(reader.schema, moments)) as out:
                for batch in reader:
                    out.write_table(pa.Table.from_batches([batch]).cast(timed(reader.schema, moments)))


def timed(schema: pa.Schema, moments: list[str]) -> pa.Schema:
    """The schema with microseconds as what they are: moments in UTC."""
    for name in moments:
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.timestamp("us")))
    return schema
