-- Who came into the habit: some k-th habit day lay less than the window's length after the first of those k.
-- Parameters: workspace (unused: the rows are one workspace's), habit_days, habit_window. Reads fact_habit_days.
-- Not the ORM: a window over habit days.
select distinct end_user_id, %(workspace)s::uuid as workspace_id
from (
    select end_user_id, day, lag(day, %(habit_days)s - 1) over (partition by end_user_id order by day) as window_start
    from fact_habit_days
) h
where day - window_start < %(habit_window)s
