-- Which attributes people have, of which types, and since when they were told: a row per name and type, from the tallies.
-- Parameters: workspace. Index: attribute_tally_once. Not the ORM: the same shape as attributes_found, for attributes_fresh.
select name, kind, people, first_rank, last_rank, first_created, last_created
from attribute_tally where workspace_id = %(workspace)s
