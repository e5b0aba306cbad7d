-- What the days in `fact_history` add to each person's numbers as of a day: visits, active, core and habit days, and what a
-- day told (registration, who brought them). Of windows it is the difference: fresh days that lie within, less counted
-- ones that have left. Without counted ones it is the number itself.
-- Parameters: workspace, day, published, habit_window. Reads the temporary table fact_history.
-- Not the ORM: one pass of filtered aggregates.
select
    end_user_id,
    %(workspace)s::uuid as workspace_id,
    min(day) filter (where fresh) as first_day,
    min(day) filter (where fresh and visits > 0) as first_seen_on,
    max(day) filter (where fresh and visits > 0) as last_seen_on,
    sum(visits * w.in_7)::integer as visits_7,
    sum(visits * w.in_30)::integer as visits_30,
    sum(visits * w.in_90)::integer as visits_90,
    coalesce(sum(visits) filter (where fresh), 0)::integer as visits,
    coalesce(sum(w.in_7) filter (where visits > 0), 0)::integer as active_days_7,
    coalesce(sum(w.in_30) filter (where visits > 0), 0)::integer as active_days_30,
    coalesce(sum(w.in_90) filter (where visits > 0), 0)::integer as active_days_90,
    (count(*) filter (where fresh and visits > 0))::integer as active_days,
    (count(*) filter (where fresh and core > 0))::integer as core_days,
    min(day) filter (where fresh and core > 0) as first_core_on,
    max(day) filter (where fresh and core > 0) as last_core_on,
    coalesce(sum(w.in_habit) filter (where habit > 0), 0)::integer as habit_days,
    min(day) filter (where fresh and registered) as registered_on,
    (array_agg(referred_by order by day) filter (where fresh and referred_by <> ''))[1] as referred_by
from fact_history
cross join lateral (
    select
        (day > %(day)s::date - 7)::integer - (not fresh and day > %(published)s::date - 7)::integer as in_7,
        (day > %(day)s::date - 30)::integer - (not fresh and day > %(published)s::date - 30)::integer as in_30,
        (day > %(day)s::date - 90)::integer - (not fresh and day > %(published)s::date - 90)::integer as in_90,
        (day > %(day)s::date - %(habit_window)s)::integer
            - (not fresh and day > %(published)s::date - %(habit_window)s)::integer as in_habit
) w
group by end_user_id
