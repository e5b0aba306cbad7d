-- Claim up to %(limit)s due deliveries of one running run for one sender, the longest waiting first. The lease is on
-- the database's clock. SKIP LOCKED: two senders never wait for or claim the same row. MATERIALIZED: as a plain
-- subquery, a nested loop would run it anew for each row of the outer side and claim far more than asked for.
-- Parameters: workspace, run, token, lease_seconds, limit. Index: delivery_due (partial, in the order asked for).
-- Not the ORM: FOR UPDATE inside UPDATE ... RETURNING.
with due as materialized (
    select q.end_user_id
    from delivery q
    join run r on r.id = q.run_id and r.workspace_id = %(workspace)s and r.state = 'running'
    where q.workspace_id = %(workspace)s and q.run_id = %(run)s
      and q.state in ('pending', 'deferred') and q.next_at <= clock_timestamp()
    order by q.next_at
    limit %(limit)s
    for update of q skip locked
)
update delivery d
set state = 'claimed', lease_token = %(token)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
from due
where d.workspace_id = %(workspace)s and d.end_user_id = due.end_user_id and d.run_id = %(run)s
returning d.delivery_id, d.end_user_id, d.address, d.attempts
