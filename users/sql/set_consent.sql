-- Keeps the latest word of people about one channel; answers with those for whom it changed something.
-- Parameters: workspace, people (uuids), channel, opted_in, source, at, loosens. Index: the key of consent.
-- Not the ORM: its upsert cannot refuse an older word. Of two words of one moment the stricter counts.
insert into consent (workspace_id, end_user_id, channel, opted_in, source, at)
select %(workspace)s::uuid, u.id, %(channel)s, %(opted_in)s, %(source)s, %(at)s
from end_user u
where u.workspace_id = %(workspace)s and u.id = any(%(people)s::uuid[])
order by u.id
on conflict (end_user_id, workspace_id, channel) do update
set opted_in = excluded.opted_in, source = excluded.source, at = excluded.at
where (consent.at, not consent.opted_in) < (excluded.at, not excluded.opted_in)
  and (%(loosens)s or consent.opted_in or not excluded.opted_in)
returning end_user_id
