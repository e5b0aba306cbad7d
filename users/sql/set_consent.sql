-- Keeps the latest words of people who have one id each; answers with those for whom it changed something.
-- Parameters: workspace, source, loosens; people, channels, opted_in and times (arrays of equal length, each pair of person
-- and channel once). Index: the keys of end_user and consent. People are looked up one by one: in a workspace that the
-- statistics have not met, a join would be planned as a walk over everybody, for one word. Not the ORM: its upsert cannot
-- refuse an older word. Of two words of one moment the stricter counts.
insert into consent (workspace_id, end_user_id, channel, opted_in, source, at)
select %(workspace)s::uuid, u.id, t.channel, t.opted_in, %(source)s, t.at
from unnest(%(people)s::uuid[], %(channels)s::text[], %(opted_in)s::boolean[], %(times)s::timestamptz[])
    as t (id, channel, opted_in, at)
cross join lateral (
    select id from end_user
    where id = t.id and workspace_id = (select %(workspace)s::uuid)
    offset 0
) u
order by u.id, t.channel
on conflict (end_user_id, workspace_id, channel) do update
set opted_in = excluded.opted_in, source = excluded.source, at = excluded.at
where (consent.at, not consent.opted_in) < (excluded.at, not excluded.opted_in)
  and (%(loosens)s or consent.opted_in or not excluded.opted_in)
returning end_user_id
