-- Find again what a killed sender left: a claim that ran out goes back, an attempt that ran out is unknown (it may
-- have left, so it is not sent again by itself). What was deferred while its run was cancelled is stopped.
-- Parameters: workspace. Index: delivery_leased, delivery_due. Not the ORM: the lease is on the database's clock.
with cancelled as (
    update delivery d
    set state = 'suppressed', reason = 'cancelled', next_at = null
    from run r
    where d.workspace_id = %(workspace)s and r.workspace_id = %(workspace)s and r.id = d.run_id
      and r.state = 'cancelled' and d.state in ('pending', 'deferred')
)
update delivery d
set state = case d.state when 'claimed' then 'pending' else 'unknown' end,
    reason = case d.state when 'claimed' then '' else 'sender_died' end,
    lease_token = null, lease_until = null
where d.workspace_id = %(workspace)s and d.state in ('claimed', 'sending') and d.lease_until < clock_timestamp()
returning d.state
