-- Merged ids under which somebody wrote while they were being merged: their events are still their own.
-- Parameters: workspace. Indexes: the key of touched, end_user_merged. Not the ORM: touched has no way back to the person.
select distinct u.id
from touched t
cross join lateral unnest(t.people) as p (id)
join end_user u on u.id = p.id and u.workspace_id = %(workspace)s and u.merged_into is not null
where t.workspace_id = %(workspace)s
