-- Keeps the latest word said under ids of people who have several; answers with those for whom it changed something.
-- Parameters: workspace, people (uuids), channel, opted_in, source, at, loosens. Index: the key of consent_word.
-- Not the ORM: its upsert cannot refuse an older word. Of two words of one moment the stricter counts.
insert into consent_word (workspace_id, end_user_id, channel, opted_in, source, at, as_one)
select %(workspace)s::uuid, p.id, %(channel)s, %(opted_in)s, %(source)s, %(at)s, %(loosens)s
from unnest(%(people)s::uuid[]) as p (id)
order by p.id
on conflict (end_user_id, workspace_id, channel) do update
set opted_in = excluded.opted_in, source = excluded.source, at = excluded.at, as_one = excluded.as_one
where (consent_word.at, not consent_word.opted_in) < (excluded.at, not excluded.opted_in)
  and (%(loosens)s or consent_word.opted_in or not excluded.opted_in)
returning end_user_id
