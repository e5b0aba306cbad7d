-- Keeps the newest rejected items of a workspace. Parameters: workspace, kept. Index: ingest_error_recent.
-- Not the ORM: it cannot skip rows that a neighbour is deleting at this moment.
delete from ingest_error
where workspace_id = %(workspace)s and id in (
    select id from ingest_error where workspace_id = %(workspace)s
    order by at desc, id offset %(kept)s
    for update skip locked
)
