-- Changes of stage on one day, of which everybody has one at most: what moves.sql says of it, without looking for the first
-- and the last of each. Parameters: workspace, day. Index: stage_change_day. Not the ORM: beside its sibling.
select from_stage, to_stage, count(*)::integer as people
from stage_change
where workspace_id = %(workspace)s and day = %(day)s and from_stage <> to_stage
group by from_stage, to_stage
