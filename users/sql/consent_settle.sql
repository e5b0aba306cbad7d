-- What the words said under the ids of a person come to, channel by channel, written for every id that can be written
-- to: an opt-out beats every opt-in, unless the person opted in later, for all their ids.
-- Parameters: workspace. Reads the temporary table `circle`. Index: the keys of consent and consent_word.
-- Not the ORM: a comparison of each word with the others.
with word as (
    select i.owner_id, w.channel, w.opted_in, w.source, w.at, w.as_one
    from circle i
    join consent_word w on w.end_user_id = i.id and w.workspace_id = %(workspace)s
    where not i.leaving
),
final as (
    select distinct on (owner_id, channel) owner_id, channel, opted_in, source, at
    from word w
    where w.opted_in or not exists (
        select from word o
        where o.owner_id = w.owner_id and o.channel = w.channel and o.opted_in and o.as_one and o.at > w.at
    )
    order by owner_id, channel, opted_in, at desc, source
),
gone as (
    delete from consent c
    using circle i
    where c.workspace_id = %(workspace)s and c.end_user_id = i.id and not i.leaving
      and not exists (select from final f where f.owner_id = i.owner_id and f.channel = c.channel)
)
insert into consent (workspace_id, end_user_id, channel, opted_in, source, at)
select %(workspace)s::uuid, i.id, f.channel, f.opted_in, f.source, f.at
from circle i
join final f on f.owner_id = i.owner_id
where not i.leaving and (i.identified or i.id = i.owner_id)
order by i.id, f.channel
on conflict (end_user_id, workspace_id, channel) do update
set opted_in = excluded.opted_in, source = excluded.source, at = excluded.at
where (consent.opted_in, consent.source, consent.at) is distinct from (excluded.opted_in, excluded.source, excluded.at)
