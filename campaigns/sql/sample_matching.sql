-- Some of the people who match a segment's rule now (the temporary table segment_match), drawn at random.
-- Parameters: workspace, most. Index: end_user's key. Not the ORM: it reads a temporary table.
select m.end_user_id
from segment_match m
join end_user p on p.id = m.end_user_id and p.workspace_id = %(workspace)s and p.identified and not p.excluded and p.merged_into is null
order by random()
limit %(most)s
