-- The stage of everybody on a day, and the numbers from which its reason is worded.
-- Parameters: workspace, day, pay_stage, habit_days, habit_window, recommendation_days. The hole `code` takes the ladder of
-- lifecycle/stages. Index: none, everybody is read. Not the ORM: one CASE over facts and the flag of the same day.
select
    f.end_user_id,
    {code} as stage,
    jsonb_strip_nulls(jsonb_build_object(
        'core_days', f.core_days,
        'habit_days', f.habit_days, 'habit_needed', %(habit_days)s, 'habit_window', %(habit_window)s,
        'ever_habit', f.ever_habit, 'ever_paid', %(pay_stage)s and f.ever_paid,
        'recommendations', f.recommendations, 'recommendation_days', %(recommendation_days)s,
        'subsidy_dependent', f.subsidy_dependent,
        'activity', a.activity, 'seen', f.last_seen_on is not null, 'idle', greatest(%(day)s::date - a.idle_from, 0),
        'kind', a.limit_kind, 'limit', trim_scale(a.limit_days), 'median', trim_scale(f.gap_median)
    )) as why
from facts f
join standing a on a.end_user_id = f.end_user_id and a.workspace_id = %(workspace)s
where f.workspace_id = %(workspace)s
