-- Deletes some events of one month that happened before a moment. Whoever was touched since the last night is left for the
-- next time: what is to be folded has to be there. Parameters: workspace, month, next_month, before, most.
-- Index: the key of the event table for the deletion; finding them reads the month's partition until enough are found.
-- Not the ORM: it has no bounded DELETE.
delete from event e
using (
    select end_user_id, client_at, event_id
    from event
    where workspace_id = %(workspace)s and at < %(before)s and client_at < %(before)s
        and client_at >= %(month)s::date::timestamp at time zone 'UTC'
        and client_at < %(next_month)s::date::timestamp at time zone 'UTC'
        and end_user_id not in (
            select unnest(people) from touched where workspace_id = %(workspace)s
        )
    limit %(most)s
) old
where e.end_user_id = old.end_user_id and e.client_at = old.client_at and e.event_id = old.event_id
    and e.workspace_id = %(workspace)s
    and e.client_at >= %(month)s::date::timestamp at time zone 'UTC'
    and e.client_at < %(next_month)s::date::timestamp at time zone 'UTC'
