-- Every event of identified people, for scripts and checks. Parameters: workspace.
-- Index: none, the whole workspace is read. Not the ORM: streamed by COPY.
select
    p.external_id,
    n.name as event,
    to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
    e.message_id,
    e.properties
from event e
join end_user p on p.id = e.end_user_id and p.workspace_id = %(workspace)s and p.identified
join event_name n on n.id = e.name_id and n.workspace_id = %(workspace)s
where e.workspace_id = %(workspace)s
