-- Takes one packed row of touched people into the temporary table `taken`; answers with the keys their events lie between.
-- Merged ids that still have events stay: somebody wrote while they were being merged, and only touched rows lead there.
-- Parameters: workspace, pack. Index: the key of touched. Not the ORM: it has no DELETE … RETURNING.
with gone as (
    delete from touched where workspace_id = %(workspace)s and id = %(pack)s returning people, first_key, last_key
),
people as materialized (
    select distinct unnest(people) as id from gone
),
strays as (
    insert into touched (workspace_id, id, people)
    select %(workspace)s, gen_random_uuid(), array_agg(u.id)
    from people p
    cross join lateral (
        select id, merged_into from end_user where id = p.id and workspace_id = (select %(workspace)s::uuid) offset 0
    ) u
    where u.merged_into is not null
        and (select true from event e where e.end_user_id = u.id and e.workspace_id = %(workspace)s limit 1)
    having count(*) > 0
),
kept as (
    insert into taken select id from people order by id returning end_user_id
)
select (select count(*) from kept) as people, first_key::text as first, last_key::text as last from gone
