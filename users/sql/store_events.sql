-- Stores the events of the temporary table `arriving` once each and answers with the keys of those that were stored before.
-- Parameters: workspace. Index: the event table's key, which is also what finds repeats. Not the ORM: COPY into
-- `arriving` and one statement for everything else; sorted by key, so that two writers never wait for each other crosswise.
with stored as (
    insert into event (
        workspace_id, end_user_id, client_at, event_id, at, received_at, name_id, message_id, properties, amount_minor, order_id,
        origin_id
    )
    select
        %(workspace)s::uuid, end_user_id, client_at, event_id, at, received_at, name_id, message_id, properties,
        amount_minor, order_id, origin_id
    from arriving
    order by end_user_id, client_at, event_id
    on conflict (end_user_id, client_at, event_id) do nothing
    returning end_user_id, event_id
)
select end_user_id, event_id from arriving left join stored using (end_user_id, event_id) where stored.event_id is null
