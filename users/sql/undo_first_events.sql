-- When the first event that is left happened that came under each of some ids. Parameters: workspace, ids (array text).
-- Index: the event table's key, by the person and whom they are merged into; each looked up by itself, the workspace
-- compared outside, for the planner takes a new workspace for an empty one. Not the ORM: one row per id.
select t.id, f.at
from unnest(%(ids)s::uuid[]) as t (id)
cross join lateral (select p.workspace_id, p.merged_into from end_user p where p.id = t.id limit 1) as u
cross join lateral (
    select min(e.at) as at
    from event e
    where e.end_user_id = coalesce(u.merged_into, t.id) and e.workspace_id = %(workspace)s
        and coalesce(e.origin_id, e.end_user_id) = t.id
) as f
where u.workspace_id = %(workspace)s and f.at is not null
