-- Gives ids that stand for themselves again what was said under them.
-- Parameters: workspace. Reads the temporary table `circle`. Index: the keys of consent and consent_word.
-- Not the ORM: one statement, so that nobody is without their word in between.
with word as (
    delete from consent_word w
    using circle i
    where w.workspace_id = %(workspace)s and w.end_user_id = i.id and i.leaving
    returning w.end_user_id, w.channel, w.opted_in, w.source, w.at
),
gone as (
    delete from consent c
    using circle i
    where c.workspace_id = %(workspace)s and c.end_user_id = i.id and i.leaving
      and not exists (select from word w where w.end_user_id = c.end_user_id and w.channel = c.channel)
)
insert into consent (workspace_id, end_user_id, channel, opted_in, source, at)
select %(workspace)s::uuid, end_user_id, channel, opted_in, source, at from word order by end_user_id, channel
on conflict (end_user_id, workspace_id, channel) do update
set opted_in = excluded.opted_in, source = excluded.source, at = excluded.at
