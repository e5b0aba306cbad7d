-- Keeps the newest rows of the ring of arrivals, and the counts of hours that a page still shows.
-- Parameters: workspace, kept, since. Indexes: arrival_recent, the key of arrival_hour.
-- Not the ORM: it cannot skip rows that a neighbour is deleting at this moment.
with hours as (
    delete from arrival_hour where workspace_id = %(workspace)s and hour < %(since)s
)
delete from arrival
where workspace_id = %(workspace)s and id in (
    select id from arrival where workspace_id = %(workspace)s
    order by at desc, id offset %(kept)s
    for update skip locked
)
