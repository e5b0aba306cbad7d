-- The person-days that the facts of the people in `chunk` are made from, `fresh` where no night has counted them yet.
-- Parameters: workspace, day, published (null: count everything afresh), days; the hole `code` takes where they come from.
-- Index: the key of person_day, or person_day_by_day. Not the ORM: kept as a temporary table that the other fact files read.
select
    p.end_user_id, p.day, p.visits, p.core, p.habit, p.hours, p.categories, p.app_version, p.registered, p.referred_by,
    %(workspace)s::uuid as workspace_id, p.day > coalesce(%(published)s::date, '-infinity') as fresh
{code}
