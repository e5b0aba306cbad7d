-- Keep what this sender holds while it is slow but alive. Parameters: workspace, token, lease_seconds.
-- Index: delivery_leased (partial: only rows under a lease). Not the ORM: leases are on the database's clock.
update delivery
set lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
where workspace_id = %(workspace)s and state in ('claimed', 'sending') and lease_token = %(token)s
