-- What each person's days come to as of a day: visits, active, core and habit days, and what a day told (registration,
-- who brought them).
-- Parameters: workspace, day, habit_window. Index: the key of person_day, whose order saves the sort.
-- Not the ORM: one pass of filtered aggregates.
select
    end_user_id,
    min(day) as first_day,
    min(day) filter (where visits > 0) as first_seen_on,
    max(day) filter (where visits > 0) as last_seen_on,
    coalesce(sum(visits) filter (where day > %(day)s::date - 7), 0)::integer as visits_7,
    coalesce(sum(visits) filter (where day > %(day)s::date - 30), 0)::integer as visits_30,
    coalesce(sum(visits) filter (where day > %(day)s::date - 90), 0)::integer as visits_90,
    sum(visits)::integer as visits,
    (count(*) filter (where visits > 0 and day > %(day)s::date - 7))::integer as active_days_7,
    (count(*) filter (where visits > 0 and day > %(day)s::date - 30))::integer as active_days_30,
    (count(*) filter (where visits > 0 and day > %(day)s::date - 90))::integer as active_days_90,
    (count(*) filter (where visits > 0))::integer as active_days,
    (count(*) filter (where core > 0))::integer as core_days,
    min(day) filter (where core > 0) as first_core_on,
    max(day) filter (where core > 0) as last_core_on,
    (count(*) filter (where habit > 0 and day > %(day)s::date - %(habit_window)s))::integer as habit_days,
    min(day) filter (where registered) as registered_on,
    (array_agg(referred_by order by day) filter (where referred_by <> ''))[1] as referred_by
from person_day
where workspace_id = %(workspace)s and day <= %(day)s
group by end_user_id
