-- Keeps what was said under each id that has become one of several of a person.
-- Parameters: workspace. Reads the temporary table `circle`. Index: the key of consent. Not the ORM: INSERT ... SELECT.
insert into consent_word (workspace_id, end_user_id, channel, opted_in, source, at, as_one)
select %(workspace)s::uuid, c.end_user_id, c.channel, c.opted_in, c.source, c.at, false
from circle i
join consent c on c.end_user_id = i.id and c.workspace_id = %(workspace)s
where i.entering
order by c.end_user_id, c.channel
on conflict do nothing
