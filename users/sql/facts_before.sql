-- The published numbers of the people in `chunk`, and what goes on from there. The hole `code` takes a condition: false where
-- everything of theirs is counted afresh. Parameters: workspace. Index: the keys. Not the ORM: kept as a temporary table.
select f.*, s.created_on, s.told_on, s.told_inviter, s.recent_days, s.hours, s.weekdays, s.categories, s.category_tallies,
    s.inviter_id, s.recommended_on
from chunk c
cross join lateral (
    select * from facts where end_user_id = c.end_user_id and workspace_id = (select %(workspace)s::uuid) and {code} offset 0
) f
cross join lateral (
    select * from facts_state where end_user_id = c.end_user_id and workspace_id = (select %(workspace)s::uuid) offset 0
) s
