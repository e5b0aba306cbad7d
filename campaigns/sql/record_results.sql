-- Write what became of messages, where this sender still holds them (sending -> sent, deferred, failed, unknown).
-- Parameters: workspace, token, deliveries (their ids, so that the index is used whatever the statistics say), results
-- (a JSON list of delivery_id, state, reason, detail, provider_ref, wait_seconds). Index: delivery_id_once.
-- Not the ORM: one statement per group of messages.
update delivery d
set state = r.state, reason = r.reason, detail = r.detail, provider_ref = r.provider_ref,
    attempts = d.attempts + 1, lease_token = null, lease_until = null,
    sent_at = case r.state when 'sent' then clock_timestamp() end,
    next_at = case r.state when 'deferred' then clock_timestamp() + make_interval(secs => r.wait_seconds) end
from jsonb_to_recordset(%(results)s::jsonb) as r (
    delivery_id uuid, state text, reason text, detail text, provider_ref text, wait_seconds double precision
)
where d.workspace_id = %(workspace)s and d.delivery_id = any(%(deliveries)s::uuid[])
  and d.delivery_id = r.delivery_id and d.state = 'sending' and d.lease_token = %(token)s
returning d.delivery_id
