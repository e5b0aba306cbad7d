-- How many people stand in each stage since each day.
-- Parameters: workspace. Index: standing_stage holds all of it. Not the ORM: said beside the other statements of the page.
select stage, stage_since, count(*)::integer as people
from standing
where workspace_id = %(workspace)s and stage <> ''
group by stage, stage_since
order by stage, stage_since
