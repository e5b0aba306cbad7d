-- Moves the creation of people back to the first thing known of them. Parameters: workspace; ids, times and own_times
-- (array texts of equal length): the first of all that is known of the person, and of what came under this id alone.
-- Index: the key of end_user. Not the ORM: one statement for any number of people.
update end_user as u
set created_at = least(u.created_at, t.at), 
    own_created_at = case when u.own_created_at is not null then least(u.own_created_at, t.own_at) end
from unnest(%(ids)s::uuid[], %(times)s::timestamptz[], %(own_times)s::timestamptz[]) as t (id, at, own_at)
where u.id = t.id and u.workspace_id = %(workspace)s
