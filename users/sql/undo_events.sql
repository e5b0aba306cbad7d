-- Takes back the events that one batch of an import stored, whoever they are with by now, and touches whose they were.
-- Events that somebody sent as well stay where they came first. Parameters: workspace, batch. Answers with how many.
-- Index: the event table's key. Not the ORM: the keys are lists within one row, joined with the table.
with keys as materialized (
    select k.person, k.client_at, k.event_id
    from import_batch b
    cross join lateral unnest(b.people, b.client_times, b.events) as k (person, client_at, event_id)
    where b.workspace_id = %(workspace)s and b.id = %(batch)s
),
places as materialized (
    select k.person, k.client_at, k.event_id, coalesce(u.merged_into, k.person) as owner
    from keys k
    left join lateral (
        select p.workspace_id, p.merged_into from end_user p where p.id = k.person limit 1
    ) u on u.workspace_id = %(workspace)s
),
gone as (
    delete from event e
    using places p
    where e.workspace_id = %(workspace)s and e.end_user_id = p.owner and e.client_at = p.client_at
        and e.event_id = p.event_id and coalesce(e.origin_id, e.end_user_id) = p.person
    returning e.end_user_id
),
marked as (
    insert into touched (workspace_id, id, people)
    select %(workspace)s::uuid, gen_random_uuid(), array_agg(distinct end_user_id) from gone having count(*) > 0
)
select count(*) as gone from gone
