-- What was said under the ids of people who have several, with whose it is. Parameters: workspace.
-- Reads the temporary table `circle`. Index: the key of consent_word. Not the ORM: kept as a temporary table.
select i.owner_id, w.channel, w.opted_in, w.source, w.at, w.as_one
from circle i
join consent_word w on w.end_user_id = i.id and w.workspace_id = %(workspace)s
where not i.leaving
