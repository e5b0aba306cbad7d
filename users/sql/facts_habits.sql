-- Who ever had the habit, as of a day: some k-th habit day lay less than the window's length after the first of those k.
-- Parameters: workspace, day, habit_days, habit_window. Index: the key of person_day, whose order saves the sort.
-- Not the ORM: a window over habit days.
select distinct end_user_id
from (
    select end_user_id, day, lag(day, %(habit_days)s - 1) over (partition by end_user_id order by day) as window_start
    from person_day
    where workspace_id = %(workspace)s and day <= %(day)s and habit > 0
) h
where day - window_start < %(habit_window)s
