-- Who everybody is, excluded people among them: what the numbers are computed from beside the events. An inviter who
-- was merged goes by the id that remains.
-- Parameters: workspace. Index: none, the whole workspace is read. Not the ORM: streamed by COPY.
select
    p.external_id,
    to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at,
    p.excluded::int as excluded,
    p.attributes || jsonb_strip_nulls(jsonb_build_object(
        'referred_by', coalesce(o.external_id, nullif(p.referred_by, ''))
    )) as attributes
from end_user p
left join end_user a
    on a.workspace_id = %(workspace)s and a.identified and a.merged_into is not null
    and a.external_id = coalesce(nullif(p.referred_by, ''), p.attributes ->> 'referred_by')
left join end_user o on o.id = a.merged_into and o.workspace_id = %(workspace)s
where p.workspace_id = %(workspace)s and p.identified and p.merged_into is null
order by p.external_id
