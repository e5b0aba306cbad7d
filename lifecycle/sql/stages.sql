-- The stage of the people in `deciding` on a day, and the one they stood in.
-- Parameters: workspace, pay_stage, habit_days. The hole `code` takes the ladder of lifecycle/stages.
-- Indexes: the keys, by person. Not the ORM: one CASE over facts and the flag of the same day.
select d.end_user_id, {code} as stage, a.stage as stood
from deciding d
cross join lateral (
    select * from facts where end_user_id = d.end_user_id and workspace_id = %(workspace)s offset 0
) f
cross join lateral (
    select activity, stage from standing where end_user_id = d.end_user_id and workspace_id = %(workspace)s offset 0
) a
