-- Which people of a chunk need more than a look: those who are new, are merged into somebody, or are known to have been
-- created later than the chunk tells. Parameters: workspace, ids and times (array texts of equal length). Answers with
-- places from 1. Index: the key of end_user, by all ids at once; run without nested loops, for the planner takes a new
-- workspace for an empty one and would go through all that is found for each id. Not the ORM: a join with an array of
-- tens of thousands.
with known as materialized (
    select p.id, p.merged_into, coalesce(p.own_created_at, p.created_at) as created_at
    from end_user p
    where p.id = any(%(ids)s::uuid[]) and p.workspace_id = %(workspace)s
)
select t.n, u.id is not null as known, u.merged_into, u.created_at
from unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) with ordinality as t (id, at, n)
left join known u on u.id = t.id
where u.id is null or u.merged_into is not null or u.created_at > t.at
order by t.n
