-- Which of the given people do not exist yet, were known earlier than they are said to be, or are merged into somebody:
-- usually none. Parameters: workspace, ids and times (array texts of equal length). Answers with places from 1; whether
-- they exist; into whom they are merged; and which of the two was created earlier than it says.
-- Index: the key of end_user. Not the ORM: a join with an array, so that nothing comes back for people who need nothing.
select
    t.n,
    u.id is not null as known,
    u.merged_into,
    coalesce(u.own_created_at, u.created_at) > t.at as earlier,
    o.created_at > t.at as owner_earlier
from unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) with ordinality as t (id, at, n)
left join end_user u on u.id = t.id and u.workspace_id = %(workspace)s
left join end_user o on o.id = u.merged_into and o.workspace_id = %(workspace)s
where u.id is null or u.merged_into is not null or coalesce(u.own_created_at, u.created_at) > t.at
order by t.id
