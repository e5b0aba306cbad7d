-- The stage of everybody on a day.
-- Parameters: workspace, pay_stage, habit_days. The hole `code` takes the ladder of lifecycle/stages.
-- Index: none, everybody is read. Not the ORM: one CASE over facts and the flag of the same day.
select f.end_user_id, {code} as stage
from facts f
join standing a on a.end_user_id = f.end_user_id and a.workspace_id = %(workspace)s
where f.workspace_id = %(workspace)s
