-- Counts what one transaction of ingest took into its hour.
-- Parameters: workspace, at, accepted, duplicate, rejected. Index: the hour's key; a connection has its own slot, so that
-- two writers rarely meet in one row. Not the ORM: counted up in place.
insert into arrival_hour (workspace_id, hour, slot, accepted, duplicate, rejected)
values (
    %(workspace)s, date_trunc('hour', %(at)s::timestamptz, 'UTC'), pg_backend_pid() %% 16,
    %(accepted)s, %(duplicate)s, %(rejected)s
)
on conflict (workspace_id, hour, slot) do update set
    accepted = arrival_hour.accepted + excluded.accepted,
    duplicate = arrival_hour.duplicate + excluded.duplicate,
    rejected = arrival_hour.rejected + excluded.rejected
