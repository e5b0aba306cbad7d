-- Which of the given people do not exist yet, or were known earlier than they are said to be: usually none.
-- Parameters: workspace, ids and times (array texts of equal length). Answers with places from 1, and whether they exist.
-- Index: the key of end_user. Not the ORM: a join with an array, so that nothing comes back for people who need nothing.
select t.n, u.id is not null as known
from unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) with ordinality as t (id, at, n)
left join end_user u on u.id = t.id and u.workspace_id = %(workspace)s
where u.id is null or u.created_at > t.at
order by t.id
