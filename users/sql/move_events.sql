-- Moves the events that came under the ids in the temporary table `moving` (id, now_id, to_id) from the person they are
-- with to the person they belong to; never an update of the key. Each keeps its time and message id, so a resend still
-- finds itself, and the id it came under, so that it can go back. Somebody who has the same message already keeps theirs.
-- Parameters: workspace. Index: the event table's key. Not the ORM: DELETE … RETURNING into INSERT.
with gone as (
    delete from event e
    using moving m
    where e.workspace_id = %(workspace)s and e.end_user_id = m.now_id and coalesce(e.origin_id, e.end_user_id) = m.id
    returning
        m.id, m.to_id, e.client_at, e.event_id, e.at, e.received_at, e.name_id, e.message_id, e.properties,
        e.amount_minor, e.order_id
)
insert into event (
    workspace_id, end_user_id, client_at, event_id, at, received_at, name_id, message_id, properties, amount_minor, order_id,
    origin_id
)
select
    %(workspace)s::uuid, to_id, client_at, event_id, at, received_at, name_id, message_id, properties, amount_minor,
    order_id, nullif(id, to_id)
from gone
order by to_id, client_at, event_id, id
on conflict (end_user_id, client_at, event_id) do nothing
