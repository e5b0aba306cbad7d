-- Whose stage differs on a day from the last change told before it; from nothing for joiners, to nothing for leavers.
-- Parameters: workspace, day, going_on, pay_stage, habit_days, habit_window, recommendation_days; the hole `code` takes MOVED of
-- lifecycle/services.py, which reads the temporary tables deciding and fresh_stages. Index: the key of stage_change.
-- Not the ORM: the latest change per person against today's stages. Whoever leaves churned for another stage has returned.
select
    %(workspace)s::uuid as workspace_id,
    m.id as end_user_id,
    %(day)s::date as day,
    m.before as from_stage,
    m.now as to_stage,
    m.before = 'churned' and m.now <> '' as returned,
    -- The numbers from which the stage's file words the reason; none for somebody who left.
    case when m.now = '' then '{}' else jsonb_strip_nulls(jsonb_build_object(
        'core_days', m.core_days,
        'habit_days', m.habit_days, 'habit_needed', %(habit_days)s, 'habit_window', %(habit_window)s,
        'ever_habit', m.ever_habit, 'ever_paid', %(pay_stage)s and m.ever_paid,
        'recommendations', m.recommendations, 'recommendation_days', %(recommendation_days)s,
        'subsidy_dependent', m.subsidy_dependent,
        'activity', m.activity, 'seen', m.last_seen_on is not null, 'idle', greatest(%(day)s::date - m.idle_from, 0),
        'kind', m.limit_kind, 'limit', trim_scale(m.limit_days), 'median', trim_scale(m.gap_median)
    )) end as why
from ({code}) m
where m.before <> m.now
