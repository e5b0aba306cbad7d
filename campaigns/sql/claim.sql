-- Claim up to %(limit)s due deliveries of one running run for one sender, the longest waiting first. The lease is on
-- the database's clock. SKIP LOCKED: two senders never wait for or claim the same row.
-- The chosen rows are found again by their place on disk: right after a freeze the statistics know nothing of the new
-- run, and any join by key may be planned as a walk over the whole audience for each row, or run the choice anew for
-- each and claim far more than asked for. A row that moved in between is left to the next claim.
-- Parameters: workspace, run, token, lease_seconds, limit. Index: delivery_due (partial, in the order asked for).
-- Not the ORM: FOR UPDATE inside UPDATE ... RETURNING.
with due as materialized (
    select q.ctid as place
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
where d.workspace_id = %(workspace)s and d.ctid = any (array(select place from due))
returning d.delivery_id, d.end_user_id, d.address, d.attempts
