-- Keeps the latest words said under ids of people who have several; answers with those for whom it changed something.
-- Parameters: workspace, source, loosens; people, channels, opted_in and times (arrays of equal length, each pair of person
-- and channel once). Index: the key of consent_word. Not the ORM: its upsert cannot refuse an older word. Of two words of
-- one moment the stricter counts. What loosens nothing leaves an opt-in that counts for all ids as it is: said again under
-- one of them it would count for that one alone.
insert into consent_word (workspace_id, end_user_id, channel, opted_in, source, at, as_one)
select %(workspace)s::uuid, t.id, t.channel, t.opted_in, %(source)s, t.at, %(loosens)s
from unnest(%(people)s::uuid[], %(channels)s::text[], %(opted_in)s::boolean[], %(times)s::timestamptz[])
    as t (id, channel, opted_in, at)
order by t.id, t.channel
on conflict (end_user_id, workspace_id, channel) do update
set opted_in = excluded.opted_in, source = excluded.source, at = excluded.at, as_one = excluded.as_one
where (consent_word.at, not consent_word.opted_in) < (excluded.at, not excluded.opted_in)
  and (%(loosens)s or not excluded.opted_in or (consent_word.opted_in and not consent_word.as_one))
returning end_user_id
