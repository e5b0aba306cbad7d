-- Which of the given people do not exist yet, were known earlier than they are said to be, or are merged into somebody:
-- usually none. Parameters: workspace, ids and times (array texts of equal length). Answers with places from 1; whether
-- they exist; into whom they are merged; and which of the two was created earlier than it says.
-- Index: the key of end_user, once for each: LIMIT, with the workspace compared outside of it, keeps the planner, which
-- takes a new workspace for an empty one, from reading all of its people for each. Not the ORM: a join with an array, so that nothing comes back for people who need nothing.
select t.n, u.known, u.merged_into, u.earlier, u.owner_earlier
from unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) with ordinality as t (id, at, n)
left join lateral (
    select
        true as known,
        p.workspace_id,
        p.merged_into,
        coalesce(p.own_created_at, p.created_at) > t.at as earlier,
        p.merged_into is not null and (
            select o.created_at from end_user o where o.id = p.merged_into and o.workspace_id = p.workspace_id limit 1
        ) > t.at as owner_earlier
    from end_user p
    where p.id = t.id
    limit 1
) as u on u.workspace_id = %(workspace)s
where u.known is null or u.merged_into is not null or u.earlier
order by t.id
