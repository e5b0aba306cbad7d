-- When the first event that is left happened that came under each of some ids. Parameters: workspace, ids (array text).
-- Index: the event table's key, by the person or whom they are merged into. That one is worked out before: compared with
-- coalesce() within, row-level security would not trust the comparison, and each id would read the whole table.
-- The workspace is compared outside, for the planner takes a new workspace for an empty one. Not the ORM: one row per id.
with places as materialized (
    select t.id, coalesce(u.merged_into, t.id) as owner
    from unnest(%(ids)s::uuid[]) as t (id)
    cross join lateral (select p.workspace_id, p.merged_into from end_user p where p.id = t.id limit 1) as u
    where u.workspace_id = %(workspace)s
)
select p.id, f.at
from places p
cross join lateral (
    select min(e.at) as at
    from event e
    where e.end_user_id = p.owner and e.workspace_id = %(workspace)s and coalesce(e.origin_id, e.end_user_id) = p.id
) as f
where f.at is not null
