-- Takes the touched rows that are visible now and keeps whose they were in the temporary table `taken`.
-- Rows written by transactions that commit later stay for the next fold, together with their events. So do those of
-- merged ids that still have events: somebody wrote while they were being merged, and only touched rows lead there.
-- Parameters: workspace. Index: the key of touched. Not the ORM: it has no DELETE … RETURNING.
with gone as (
    delete from touched where workspace_id = %(workspace)s returning people
),
people as materialized (
    select distinct unnest(people) as id from gone
),
strays as (
    insert into touched (workspace_id, id, people)
    select %(workspace)s, gen_random_uuid(), array_agg(u.id)
    from people p
    join end_user u on u.id = p.id and u.workspace_id = %(workspace)s and u.merged_into is not null
    where exists (select from event e where e.end_user_id = u.id and e.workspace_id = %(workspace)s)
    having count(*) > 0
)
insert into taken select id from people
