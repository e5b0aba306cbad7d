-- Of given people: whether they exist, into whom they are merged, since when both are known (the later moment), and which
-- of the two was created earlier than it says, by what is told of them now.
-- Parameters: workspace, ids and times (array texts of equal length). Answers with places from 1.
-- Index: end_user by workspace and id, once for each: LIMIT keeps the planner, which knows nothing of a young table, from
-- reading all of it. Not the ORM: a join with an array.
select
    t.n,
    u.known,
    u.merged_into,
    greatest(u.since, u.owner_since) as since,
    u.since > t.at as earlier,
    u.owner_since > t.at as owner_earlier
from unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) with ordinality as t (id, at, n)
left join lateral (
    select
        true as known,
        p.merged_into,
        coalesce(p.own_created_at, p.created_at) as since,
        case when p.merged_into is not null then (
            select o.created_at from end_user o where o.id = p.merged_into and o.workspace_id = %(workspace)s limit 1
        ) end as owner_since
    from end_user p
    where p.id = t.id and p.workspace_id = %(workspace)s
    limit 1
) as u on true
order by t.id
