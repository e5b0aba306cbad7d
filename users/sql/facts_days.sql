-- What each person's days come to as of a day: visits, active, core and habit days, whether a habit window was ever
-- full, and what a day told (registration, app version, who brought them).
-- Parameters: workspace, day, habit_days, habit_window. Index: the key of person_day, in whose order the windows run.
-- Not the ORM: one pass of filtered aggregates. A window is full on the k-th habit day when the first of those k lies
-- less than the window's length before it.
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
    coalesce(bool_or(habit > 0 and day - window_start < %(habit_window)s), false) as ever_habit,
    min(day) filter (where registered) as registered_on,
    coalesce((array_agg(app_version order by day desc) filter (where app_version <> ''))[1], '') as app_version,
    (array_agg(referred_by order by day) filter (where referred_by <> ''))[1] as referred_by
from (
    select *, lag(day, %(habit_days)s - 1) over (partition by end_user_id, habit > 0 order by day) as window_start
    from person_day
    where workspace_id = %(workspace)s and day <= %(day)s
) d
group by end_user_id
