-- Whose stage differs on a day from the last change told before it; from nothing for joiners, to nothing for leavers.
-- Parameters: workspace, day, pay_stage, habit_days, habit_window, recommendation_days. Reads the temporary table
-- fresh_stages. Index: the key of stage_change. Of the people in `deciding`. Not the ORM: the latest change per person against today's stages.
-- Whoever leaves churned for another stage has returned.
with before as (
    select d.end_user_id, c.to_stage
    from deciding d
    cross join lateral (
        select to_stage
        from (
            select to_stage, day from stage_change
            where end_user_id = d.end_user_id and workspace_id = (select %(workspace)s::uuid) and day < %(day)s
            offset 0 -- by person: the index by day would be read from its end
        ) b
        order by day desc limit 1
    ) c
),
moved as (
    select n.*, d.end_user_id as id, coalesce(b.to_stage, '') as from_stage, coalesce(n.stage, '') as to_stage
    from deciding d
    left join fresh_stages n on n.end_user_id = d.end_user_id
    left join before b on b.end_user_id = d.end_user_id
    where coalesce(b.to_stage, '') <> coalesce(n.stage, '')
)
select
    %(workspace)s::uuid as workspace_id,
    id as end_user_id,
    %(day)s::date as day,
    from_stage,
    to_stage,
    from_stage = 'churned' and to_stage <> '' as returned,
    -- The numbers from which the stage's file words the reason; none for somebody who left.
    case when to_stage = '' then '{}' else jsonb_strip_nulls(jsonb_build_object(
        'core_days', core_days,
        'habit_days', habit_days, 'habit_needed', %(habit_days)s, 'habit_window', %(habit_window)s,
        'ever_habit', ever_habit, 'ever_paid', %(pay_stage)s and ever_paid,
        'recommendations', recommendations, 'recommendation_days', %(recommendation_days)s,
        'subsidy_dependent', subsidy_dependent,
        'activity', activity, 'seen', last_seen_on is not null, 'idle', greatest(%(day)s::date - idle_from, 0),
        'kind', limit_kind, 'limit', trim_scale(limit_days), 'median', trim_scale(gap_median)
    )) end as why
from moved
