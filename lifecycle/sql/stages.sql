-- The stage of the people in `deciding` on a day, the one they stood in, and what the reason and the standing are told from.
-- Parameters: workspace, pay_stage, habit_days. The hole `code` takes the ladder of lifecycle/stages.
-- Indexes: the keys, by person. Not the ORM: one CASE over facts and the flag of the same day.
select
    d.end_user_id, {code} as stage, a.stage as stood,
    f.core_days, f.habit_days, f.ever_habit, f.ever_paid, f.recommendations, f.subsidy_dependent, f.last_seen_on, f.gap_median,
    a.activity, a.activity_since, a.idle_from, a.limit_days, a.limit_kind, a.signals, a.value_at_risk_minor, a.due_on
from deciding d
cross join lateral (
    select * from facts where end_user_id = d.end_user_id and workspace_id = (select %(workspace)s::uuid) offset 0
) f
cross join lateral (
    select * from standing where end_user_id = d.end_user_id and workspace_id = (select %(workspace)s::uuid) offset 0
) a
