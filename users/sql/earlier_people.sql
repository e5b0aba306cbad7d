-- Moves the creation of people back to the first thing known of them. Parameters: workspace; ids, times and own_times
-- (array texts of equal length): the first of all that is known of the person, and of what came under this id alone.
-- Index: the key of end_user. The ids stand there twice so that it is chosen: a planner that knows nothing of a young
-- table takes all of a workspace for a few rows. Not the ORM: one statement for any number of people.
update end_user as u
set created_at = least(u.created_at, t.at),
    own_created_at = case when u.own_created_at is not null then least(u.own_created_at, t.own_at) end
from unnest(%(ids)s::uuid[], %(times)s::timestamptz[], %(own_times)s::timestamptz[]) as t (id, at, own_at)
where u.id = t.id and u.id = any (%(ids)s::uuid[]) and u.workspace_id = %(workspace)s
