-- Adds a tag to people, or takes it away, where that changes something.
-- Parameters: workspace, people (uuids), tag, add (boolean). Index: the key of end_user.
-- Not the ORM: one statement over JSON, safe against two operators tagging at once. Rows are taken in the order of ids,
-- as ingest takes them, so that nobody waits for one another crosswise.
with held as materialized (
    select id from end_user
    where workspace_id = %(workspace)s and id = any(%(people)s::uuid[])
    order by id
    for no key update
)
update end_user u
set tags = case when %(add)s then u.tags || jsonb_build_array(%(tag)s::text) else u.tags - %(tag)s::text end
from held
where u.workspace_id = %(workspace)s and u.id = held.id
  and (u.tags @> jsonb_build_array(%(tag)s::text)) <> %(add)s
