-- Makes those due of whom a day to come is known already: of their creation, or of the registration that attributes tell.
-- Parameters: workspace, day. Reads the temporary table known. Not the ORM: INSERT … SELECT from a temporary table.
insert into facts_due (workspace_id, end_user_id, due_on)
select %(workspace)s, end_user_id, c.due_on
from known cross join lateral (values (created_on), (registered_on)) as c (due_on)
where c.due_on > %(day)s
on conflict do nothing
