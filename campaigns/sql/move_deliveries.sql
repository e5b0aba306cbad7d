-- Moves the final deliveries of the ids in the temporary table `moving` (id, now_id, to_id) to the person they belong to,
-- and keeps whom they were frozen for. A run has one delivery per person: a second one stays where it is, and counts.
-- Parameters: workspace, final (states). Index: the key of delivery. Not the ORM: DELETE … RETURNING into INSERT.
with one as (
    select distinct on (m.to_id, d.run_id) d.end_user_id, d.run_id, m.id, m.to_id
    from moving m
    join delivery d on d.end_user_id = m.now_id and d.workspace_id = %(workspace)s
    where coalesce(d.origin_id, d.end_user_id) = m.id and d.state = any(%(final)s)
      and not exists (
          select from delivery o
          where o.end_user_id = m.to_id and o.workspace_id = %(workspace)s and o.run_id = d.run_id
      )
    order by m.to_id, d.run_id, m.id
),
gone as (
    delete from delivery d
    using one
    where d.workspace_id = %(workspace)s and d.end_user_id = one.end_user_id and d.run_id = one.run_id
      and d.state = any(%(final)s)
    returning one.id, one.to_id, d.*
)
insert into delivery (
    end_user_id, workspace_id, run_id, delivery_id, channel, address, arm, state, reason, detail, bucket, attempts,
    lease_token, lease_until, next_at, provider_ref, sent_at, opened_at, clicked_at, unsubscribed_at, converted_at,
    revenue_minor, origin_id
)
select
    to_id, workspace_id, run_id, delivery_id, channel, address, arm, state, reason, detail, bucket, attempts, lease_token,
    lease_until, next_at, provider_ref, sent_at, opened_at, clicked_at, unsubscribed_at, converted_at, revenue_minor,
    nullif(id, to_id)
from gone
order by to_id, run_id
returning delivery_id
