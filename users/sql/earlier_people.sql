-- Moves the creation of people back to the first thing known of them. Parameters: workspace, ids and times (array texts
-- of equal length). Index: the key of end_user. Not the ORM: one statement for any number of people.
update end_user as u
set created_at = t.at
from unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) as t (id, at)
where u.id = t.id and u.workspace_id = %(workspace)s and u.created_at > t.at
