-- Stores the events of the temporary table `importing` once each, marks whose they are as touched, and keeps their keys
-- as a batch of the import, by which it can be taken back. Answers with how many were not there before.
-- Parameters: workspace, file, position, rows (those about people), batch, new_people (array text), changes (JSON).
-- Index: the event table's key, which is also what finds repeats.
-- Not the ORM: COPY into `importing` and one statement for everything else; sorted by key, so that two writers never wait
-- for each other crosswise.
with stored as (
    insert into event (
        workspace_id, end_user_id, client_at, event_id, at, received_at, name_id, message_id, properties, amount_minor, order_id,
        origin_id
    )
    select
        %(workspace)s::uuid, end_user_id, client_at, event_id, at, received_at, name_id, message_id, properties,
        amount_minor, order_id, origin_id
    from importing
    order by end_user_id, client_at, event_id
    on conflict (end_user_id, client_at, event_id) do nothing
    returning end_user_id, client_at, event_id, origin_id
),
marked as (
    insert into touched (workspace_id, id, people, first_key, last_key)
    select %(workspace)s::uuid, gen_random_uuid(), array_agg(distinct end_user_id), min(client_at), max(client_at)
    from stored having count(*) > 0
),
kept as (
    insert into import_batch (workspace_id, id, file_id, position, rows, at, people, client_times, events, new_people, changes)
    select
        %(workspace)s::uuid, %(batch)s::uuid, %(file)s::uuid, %(position)s, %(rows)s, clock_timestamp(),
        coalesce(array_agg(coalesce(origin_id, end_user_id)), '{}'), coalesce(array_agg(client_at), '{}'),
        coalesce(array_agg(event_id), '{}'), %(new_people)s::uuid[], %(changes)s::jsonb
    from stored
)
select count(*) as stored from stored
