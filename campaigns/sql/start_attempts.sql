-- Commit that these messages are about to leave (claimed -> sending). Where the run was stopped since, they become
-- suppressed (cancelled) or wait again (paused).
-- Parameters: workspace, token, deliveries, lease_seconds. Index: delivery_id_once.
-- Not the ORM: the new state depends on the run, and the rows come back.
update delivery d
set state = case r.state when 'running' then 'sending' when 'cancelled' then 'suppressed' else 'pending' end,
    reason = case r.state when 'cancelled' then 'cancelled' else '' end,
    lease_token = case r.state when 'running' then d.lease_token end,
    lease_until = case r.state when 'running' then clock_timestamp() + make_interval(secs => %(lease_seconds)s) end
from run r
where d.workspace_id = %(workspace)s and r.workspace_id = %(workspace)s and r.id = d.run_id
  and d.delivery_id = any(%(deliveries)s::uuid[]) and d.state = 'claimed' and d.lease_token = %(token)s
returning d.delivery_id, d.state
