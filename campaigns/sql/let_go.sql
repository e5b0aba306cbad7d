-- The channel stopped: what this sender holds was not sent. It waits, and the try does not count.
-- Parameters: workspace, token, detail, wait_seconds. Index: delivery_leased. Not the ORM: times are the database's.
update delivery
set state = 'deferred', reason = 'channel_down', detail = %(detail)s, lease_token = null, lease_until = null,
    next_at = clock_timestamp() + make_interval(secs => %(wait_seconds)s)
where workspace_id = %(workspace)s and state in ('claimed', 'sending') and lease_token = %(token)s
