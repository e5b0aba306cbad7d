-- How often each event name happened since a time, and when last. Parameters: workspace, start.
-- Index: BRIN on the event's time, so that the months before are not read. Not the ORM: one aggregate over a partitioned table.
select name_id, count(*) as events, max(at) as last_at
from event
where workspace_id = %(workspace)s and at >= %(start)s
group by name_id
