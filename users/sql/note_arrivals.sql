-- Remembers the newest of what ingest took: a row per SDK in the ring `arrival`.
-- Parameters: workspace, at, rows (JSON list of {library, people, client_times, events, names}). Index: none.
-- Not the ORM: all rows in one round trip.
insert into arrival (workspace_id, id, at, library, people, client_times, events, names)
select %(workspace)s::uuid, gen_random_uuid(), %(at)s::timestamptz, r.library, r.people, r.client_times, r.events, r.names
from jsonb_to_recordset(%(rows)s::jsonb) as r (
    library text, people uuid[], client_times timestamptz[], events uuid[], names integer[]
)
