-- Keeps which ids are one person, each pair with the earliest moment it was told of; answers with those that are news,
-- which are to be merged. Parameters: workspace; people, known, times and kinds (array texts of equal length, each pair
-- once). Index: the key of identity_link. Not the ORM: its upsert cannot leave alone what is no news.
insert into identity_link (end_user_id, workspace_id, known_id, at, kind, pending)
select t.person, %(workspace)s::uuid, t.known, t.at, t.kind, true
from unnest(%(people)s::uuid[], %(known)s::uuid[], %(times)s::timestamptz[], %(kinds)s::text[]) as t (person, known, at, kind)
order by t.person, t.known
on conflict (end_user_id, workspace_id, known_id) do update
set at = excluded.at, pending = true
where identity_link.at > excluded.at
returning end_user_id
