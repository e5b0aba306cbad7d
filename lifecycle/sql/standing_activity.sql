-- The standing of the people in fresh_flags with the flags of a day; the stage stays as it is, and is empty until it is told for the first time.
-- Parameters: workspace, day. Reads the temporary tables fresh_flags, fresh_changes and deciding. Index: the key of
-- activity_change. Not the ORM: rows of temporary tables. A flag holds since its latest change: the one of the day, or an
-- earlier one; whoever is no longer in `deciding` had none.
select
    %(workspace)s::uuid as workspace_id,
    n.end_user_id,
    coalesce(n.stage, '') as stage,
    coalesce(n.stage_since, %(day)s::date) as stage_since,
    coalesce(n.returned, false) as returned,
    n.activity,
    coalesce(
        c.day,
        case when d.end_user_id is not null then (
            select b.day
            from (
                select day from activity_change
                where end_user_id = d.end_user_id and workspace_id = (select %(workspace)s::uuid) and day <= %(day)s
                offset 0 -- by person: the index by day would be read from its end
            ) b
            order by b.day desc limit 1
        ) end,
        n.stood_since
    ) as activity_since,
    n.idle_from,
    n.limit_days,
    n.limit_kind,
    n.signals,
    n.value_at_risk_minor,
    n.due_on
from fresh_flags n
left join fresh_changes c on c.end_user_id = n.end_user_id
left join deciding d on d.end_user_id = n.end_user_id
