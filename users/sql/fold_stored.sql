-- As fold_seen, of people of whom anything may have changed: every day that was folded before.
-- Parameters: workspace. Index: the key of person_day. Not the ORM: kept as a temporary table; person by person.
select p.end_user_id, p.day, null::timestamptz as first_key, null::timestamptz as last_key, true as folded, p.digest
from taken t
cross join lateral (
    select end_user_id, day, digest
    from person_day
    where end_user_id = t.end_user_id and workspace_id = (select %(workspace)s::uuid)
    offset 0
) p
