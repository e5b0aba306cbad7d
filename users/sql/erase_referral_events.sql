-- Erases who brought others from the events that told it. Parameters: workspace, people (array of uuids, whose events), names
-- (external ids). Index: the event table's key, which begins with the person; given as values, so that the planner takes it
-- instead of reading every event. Not the ORM: a key is taken out of JSON.
update event
set properties = properties - 'referred_by'
where workspace_id = %(workspace)s and end_user_id = any(%(people)s::uuid[])
    and properties ->> 'referred_by' = any(%(names)s::text[])
