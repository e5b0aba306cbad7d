-- Takes links off the to-do list, unless they were told of an earlier moment since they were read.
-- Parameters: workspace; people, known and times (array texts of equal length). Index: the key of identity_link.
-- Not the ORM: a join with triples.
update identity_link l
set pending = false
from unnest(%(people)s::uuid[], %(known)s::uuid[], %(times)s::timestamptz[]) as t (person, known, at)
where l.workspace_id = %(workspace)s and l.end_user_id = t.person and l.known_id = t.known and l.at = t.at and l.pending
