-- Who everybody is, excluded people among them: what the numbers are computed from beside the events.
-- Parameters: workspace. Index: none, the whole workspace is read. Not the ORM: streamed by COPY.
select
    p.external_id,
    to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at,
    p.excluded::int as excluded,
    p.attributes || jsonb_strip_nulls(jsonb_build_object('referred_by', nullif(p.referred_by, ''))) as attributes
from end_user p
where p.workspace_id = %(workspace)s and p.identified and p.merged_into is null
order by p.external_id
