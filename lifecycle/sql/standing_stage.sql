-- The standing of the people in fresh_stages with the stages of a day; the flag stays as it is.
-- Parameters: workspace, day. Reads the temporary tables fresh_stages, fresh_changes and deciding. Index: the key of stage_change.
-- Not the ORM: rows of temporary tables. A stage holds since its latest change, the one of the day or an earlier one, and
-- so does the mark of having returned.
with since as (
    select end_user_id, day, returned from fresh_changes
    union all
    select d.end_user_id, c.*
    from deciding d
    cross join lateral (
        select *
        from (
            select day, returned from stage_change
            where end_user_id = d.end_user_id and workspace_id = (select %(workspace)s::uuid) and day <= %(day)s
            offset 0 -- by person: the index by day would be read from its end
        ) b
        order by day desc limit 1
    ) c
    where d.end_user_id not in (select end_user_id from fresh_changes)
)
select
    %(workspace)s::uuid as workspace_id,
    n.end_user_id,
    n.stage,
    c.day as stage_since,
    c.returned,
    n.activity,
    n.activity_since,
    n.idle_from,
    n.limit_days,
    n.limit_kind,
    n.signals,
    n.value_at_risk_minor,
    n.due_on
from fresh_stages n
join since c on c.end_user_id = n.end_user_id
