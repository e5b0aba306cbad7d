-- Touch everybody who ever did one of the named events: their days mean something else now.
-- Parameters: workspace, names (ids). Index: none by name; a scan of the workspace's events, once per change of mapping.
-- Not the ORM: INSERT ... SELECT DISTINCT over the event table.
insert into touched (workspace_id, id, people)
select %(workspace)s, gen_random_uuid(), array_agg(distinct e.end_user_id)
from event e
where e.workspace_id = %(workspace)s and e.name_id = any(%(names)s)
having count(*) > 0
