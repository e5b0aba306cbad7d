-- Everybody's standing with the flags of a day; the stage stays as it is, and is empty until it is told for the first time.
-- Parameters: workspace, day. Reads the temporary table fresh_flags. Index: the keys of activity_change and standing.
-- Not the ORM: rows for everybody. A flag holds since its latest change.
with since as (
    select distinct on (end_user_id) end_user_id, day
    from activity_change
    where workspace_id = %(workspace)s and day <= %(day)s
    order by end_user_id, day desc
)
select
    %(workspace)s::uuid as workspace_id,
    n.end_user_id,
    coalesce(s.stage, '') as stage,
    coalesce(s.stage_since, %(day)s::date) as stage_since,
    coalesce(s.returned, false) as returned,
    n.activity,
    c.day as activity_since,
    n.idle_from,
    n.limit_days,
    n.limit_kind,
    n.signals,
    n.value_at_risk_minor
from fresh_flags n
join since c on c.end_user_id = n.end_user_id
left join standing s on s.end_user_id = n.end_user_id and s.workspace_id = %(workspace)s
