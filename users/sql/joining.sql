-- Which of these people are named in a link that nobody merged yet, under whichever of their ids.
-- Parameters: workspace, ids (array text of uuids; of somebody with several ids, whoever they are merged into).
-- Indexes: end_user_merged, the key of identity_link, identity_link_known.
-- Not the ORM: looks everybody up by key, however many links wait. Of a large import all do, and a plan that began with
-- those that wait would go through them for each person.
select p.id
from unnest(%(ids)s::uuid[]) as p (id)
where exists (
    select
    from (
        select p.id
        union all
        (select e.id from end_user e where e.workspace_id = (select %(workspace)s::uuid) and e.merged_into = p.id offset 0)
    ) one
    cross join lateral (
        (
            select l.pending from identity_link l
            where l.end_user_id = one.id and l.workspace_id = (select %(workspace)s::uuid)
            offset 0
        )
        union all
        (
            select l.pending from identity_link l
            where l.known_id = one.id and l.workspace_id = (select %(workspace)s::uuid)
            offset 0
        )
    ) told
    where told.pending
)
