-- Adds a tag to people, or takes it away, where that changes something.
-- Parameters: workspace, people (uuids), tag, add (boolean). Index: the key of end_user.
-- Not the ORM: one statement over JSON, safe against two operators tagging at once.
update end_user
set tags = case when %(add)s then tags || jsonb_build_array(%(tag)s::text) else tags - %(tag)s::text end
where workspace_id = %(workspace)s
  and id = any(%(people)s::uuid[])
  and (tags @> jsonb_build_array(%(tag)s::text)) <> %(add)s
