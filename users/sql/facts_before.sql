-- The published numbers of the people in `chunk`, and what goes on from there when somebody came since. The hole `code` takes
-- a condition: false where everything of theirs is counted afresh. Parameters: workspace. Reads the temporary table
-- fact_history. Index: the keys. Not the ORM: kept as a temporary table.
select f.*, s.created_on, s.told_on, s.told_inviter, s.recent_days, s.hours, s.weekdays, s.categories, s.category_tallies,
    s.inviter_id, s.recommended_on
from chunk c
cross join lateral (
    select * from facts where end_user_id = c.end_user_id and workspace_id = (select %(workspace)s::uuid) and {code} offset 0
) f
left join lateral (
    -- The tallies are wide, and of four in five days did nothing but leave windows.
    select * from facts_state
    where end_user_id = c.end_user_id and workspace_id = (select %(workspace)s::uuid)
        and c.end_user_id in (select end_user_id from fact_history where fresh)
    offset 0
) s on true
