-- Every event of identified people, for scripts and checks; an inviter who was merged goes by the id that remains.
-- Parameters: workspace.
-- Index: none, the whole workspace is read. Not the ORM: streamed by COPY.
select
    p.external_id,
    n.name as event,
    to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
    e.message_id,
    case
        when o.id is null then e.properties
        else e.properties || jsonb_build_object('referred_by', o.external_id)
    end as properties
from event e
join end_user p on p.id = e.end_user_id and p.workspace_id = %(workspace)s and p.identified
join event_name n on n.id = e.name_id and n.workspace_id = %(workspace)s
left join end_user a
    on a.workspace_id = %(workspace)s and a.identified and a.merged_into is not null
    and n.name = 'Referral Accepted' and a.external_id = e.properties ->> 'referred_by'
left join end_user o on o.id = a.merged_into and o.workspace_id = %(workspace)s
where e.workspace_id = %(workspace)s
