-- How many events of each name are stored, how many of them since a time, and when the last one happened.
-- Parameters: workspace, since. Index: none, every event is read once; pages load this after themselves.
-- Not the ORM: one aggregate with a filter, keyed by a small integer.
select name_id, count(*) as events, count(*) filter (where at >= %(since)s) as recent, max(at) as last_at
from event
where workspace_id = %(workspace)s
group by name_id
