-- Remembers what one transaction of ingest took: a row per SDK in the ring `arrival`, and the counts of the hour.
-- Parameters: workspace, at, rows (JSON list of {library, people, client_times, events, names}), accepted, duplicate,
-- rejected. Index: the hour's key; a connection has its own slot, so that two writers rarely meet in one row.
-- Not the ORM: both tables in one round trip, the hour counted up in place.
with counted as (
    insert into arrival_hour (workspace_id, hour, slot, accepted, duplicate, rejected)
    values (
        %(workspace)s, date_trunc('hour', %(at)s::timestamptz, 'UTC'), pg_backend_pid() %% 16,
        %(accepted)s, %(duplicate)s, %(rejected)s
    )
    on conflict (workspace_id, hour, slot) do update set
        accepted = arrival_hour.accepted + excluded.accepted,
        duplicate = arrival_hour.duplicate + excluded.duplicate,
        rejected = arrival_hour.rejected + excluded.rejected
)
insert into arrival (workspace_id, id, at, library, people, client_times, events, names)
select %(workspace)s::uuid, gen_random_uuid(), %(at)s::timestamptz, r.library, r.people, r.client_times, r.events, r.names
from jsonb_to_recordset(%(rows)s::jsonb) as r (
    library text, people uuid[], client_times timestamptz[], events uuid[], names integer[]
)
