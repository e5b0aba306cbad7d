-- The habit days by which somebody may have come into the habit for the first time: of people with a fresh one, those that
-- share a window with it. Parameters: workspace, day, published, habit_window. Reads the temporary tables fact_history and
-- fact_before. Index: the key of person_day. Not the ORM: person by person.
select p.end_user_id, p.day
from (
    select h.end_user_id
    from fact_history h
    left join fact_before b using (end_user_id)
    where h.fresh and h.habit > 0 and b.ever_habit is not true
    group by h.end_user_id
) c
cross join lateral (
    select end_user_id, day
    from person_day
    where end_user_id = c.end_user_id and workspace_id = (select %(workspace)s::uuid) and habit > 0 and day <= %(day)s
        and day > coalesce(%(published)s::date - %(habit_window)s, '-infinity')
    offset 0
) p
