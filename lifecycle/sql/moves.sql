-- Net moves of people between the ends of two days: from the stage before their first change to that after their last.
-- Parameters: workspace, first_day (exclusive), last_day (inclusive). Index: stage_change_day.
-- Not the ORM: first and last row per person, then a matrix. An empty stage is "not there yet" or "left".
select from_stage, to_stage, count(*)::integer as people
from (
    select
        (array_agg(from_stage order by day))[1] as from_stage,
        (array_agg(to_stage order by day desc))[1] as to_stage
    from stage_change
    where workspace_id = %(workspace)s and day > %(first_day)s and day <= %(last_day)s
    group by end_user_id
) c
where from_stage <> to_stage
group by from_stage, to_stage
