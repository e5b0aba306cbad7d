-- How many people took each step from one stage to another between two days, however often.
-- Parameters: workspace, first_day (left out), last_day. Index: stage_change_day. Not the ORM: beside its fellows.
select from_stage, to_stage, count(distinct end_user_id)::integer as people
from stage_change
where workspace_id = %(workspace)s and day > %(first_day)s and day <= %(last_day)s and from_stage <> '' and to_stage <> ''
group by from_stage, to_stage
