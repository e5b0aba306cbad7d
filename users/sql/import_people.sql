-- Which people of a chunk need more than a look: those who are new, are merged into somebody, or are known to have been
-- created later than the chunk tells. Parameters: workspace, ids and times (array texts of equal length). Answers with
-- places from 1. Index: the key of end_user, once for each: LIMIT keeps the planner, which knows nothing of a young table,
-- from reading all of it for each. Not the ORM: a join with an array of tens of thousands.
select t.n, u.known is not null as known, u.merged_into, u.created_at
from unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) with ordinality as t (id, at, n)
left join lateral (
    select true as known, p.merged_into, coalesce(p.own_created_at, p.created_at) as created_at
    from end_user p
    where p.id = t.id and p.workspace_id = %(workspace)s
    limit 1
) as u on true
where u.known is null or u.merged_into is not null or u.created_at > t.at
order by t.n
