-- The standing of the people in fresh_flags with the flags of a day; the stage stays as it is, and is empty until it is told for the first time.
-- Parameters: workspace, day. Reads the temporary tables fresh_flags and deciding. Index: the key of activity_change.
-- Not the ORM: rows of temporary tables. A flag holds since its latest change; whoever is no longer in `deciding` had none.
with since as (
    select d.end_user_id, c.*
    from deciding d
    cross join lateral (
        select *
        from (
            select day from activity_change
            where end_user_id = d.end_user_id and workspace_id = (select %(workspace)s::uuid) and day <= %(day)s
            offset 0 -- by person: the index by day would be read from its end
        ) b
        order by day desc limit 1
    ) c
)
select
    %(workspace)s::uuid as workspace_id,
    n.end_user_id,
    coalesce(n.stage, '') as stage,
    coalesce(n.stage_since, %(day)s::date) as stage_since,
    coalesce(n.returned, false) as returned,
    n.activity,
    coalesce(c.day, n.stood_since) as activity_since,
    n.idle_from,
    n.limit_days,
    n.limit_kind,
    n.signals,
    n.value_at_risk_minor,
    n.due_on
from fresh_flags n
left join since c on c.end_user_id = n.end_user_id
