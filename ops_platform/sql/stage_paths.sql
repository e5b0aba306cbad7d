-- The paths of two stages or more that people walked between two days, the most common first, and the days they took.
-- Parameters: workspace, first_day (left out), last_day, most. Index: stage_change_day.
-- Not the ORM: an ordered aggregate per person, then counts. A path begins where the first change began; "" is joining.
with walked as (
    select
        (array_agg(from_stage order by day))[1] || '>' || string_agg(to_stage, '>' order by day) as path,
        max(day) - min(day) as days
    from stage_change
    where workspace_id = %(workspace)s and day > %(first_day)s and day <= %(last_day)s
    group by end_user_id
    having count(*) >= 2
)
select path, count(*)::integer as people, percentile_cont(0.5) within group (order by days) as days, sum(count(*)) over () as walkers
from walked
group by path
order by people desc, path
limit %(most)s
