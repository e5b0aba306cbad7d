-- Keeps the latest words of people who have one id each. Parameters: workspace, source; people, channels, opted_in and times
-- (arrays of equal length). Index: the key of consent. Not the ORM: its upsert cannot refuse an older word. Of two words
-- of one moment the stricter counts.
insert into consent (workspace_id, end_user_id, channel, opted_in, source, at)
select %(workspace)s::uuid, t.id, t.channel, t.opted_in, %(source)s, t.at
from unnest(%(people)s::uuid[], %(channels)s::text[], %(opted_in)s::boolean[], %(times)s::timestamptz[])
    as t (id, channel, opted_in, at)
order by t.id, t.channel
on conflict (end_user_id, workspace_id, channel) do update
set opted_in = excluded.opted_in, source = excluded.source, at = excluded.at
where (consent.at, not consent.opted_in) < (excluded.at, not excluded.opted_in)
