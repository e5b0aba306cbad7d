-- Writes what the words of people come to for every one of their ids that can be written to.
-- Parameters: workspace. Reads the temporary tables `circle` and `consent_final`. Index: the key of consent.
-- Not the ORM: one statement, so that nobody is without consent in between.
with gone as (
    delete from consent c
    using circle i
    where c.workspace_id = %(workspace)s and c.end_user_id = i.id and not i.leaving
      and not exists (select from consent_final f where f.owner_id = i.owner_id and f.channel = c.channel)
)
insert into consent (workspace_id, end_user_id, channel, opted_in, source, at)
select %(workspace)s::uuid, i.id, f.channel, f.opted_in, f.source, f.at
from circle i
join consent_final f on f.owner_id = i.owner_id
where not i.leaving and (i.identified or i.id = i.owner_id)
order by i.id, f.channel
on conflict (end_user_id, workspace_id, channel) do update
set opted_in = excluded.opted_in, source = excluded.source, at = excluded.at
where (consent.opted_in, consent.source, consent.at) is distinct from (excluded.opted_in, excluded.source, excluded.at)
