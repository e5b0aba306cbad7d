-- Everybody's standing with the stages of a day; the flag stays as it is, and those who left the numbers are missing.
-- Parameters: workspace, day. Reads the temporary table fresh_stages. Index: the keys of stage_change and standing.
-- Not the ORM: rows for everybody. A stage holds since its latest change, and so does the mark of having returned.
with since as (
    select distinct on (end_user_id) end_user_id, day, returned
    from stage_change
    where workspace_id = %(workspace)s and day <= %(day)s
    order by end_user_id, day desc
)
select
    %(workspace)s::uuid as workspace_id,
    n.end_user_id,
    n.stage,
    c.day as stage_since,
    c.returned,
    s.activity,
    s.activity_since,
    s.idle_from,
    s.limit_days,
    s.limit_kind,
    s.signals,
    s.value_at_risk_minor
from fresh_stages n
join since c on c.end_user_id = n.end_user_id
join standing s on s.end_user_id = n.end_user_id and s.workspace_id = %(workspace)s
