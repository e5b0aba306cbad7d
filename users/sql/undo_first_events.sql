-- When the first event that is left happened that came under each of some ids. Parameters: workspace, ids (array text).
-- Index: the event table's key, by the person and whom they are merged into. Not the ORM: one row per id.
select t.id, min(e.at) as at
from unnest(%(ids)s::uuid[]) as t (id)
join end_user u on u.id = t.id and u.workspace_id = %(workspace)s
join event e on e.end_user_id = coalesce(u.merged_into, u.id) and e.workspace_id = %(workspace)s
    and coalesce(e.origin_id, e.end_user_id) = u.id
group by t.id
