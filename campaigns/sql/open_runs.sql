-- Runs whose window is still open on the day, or closed within the week before it, and until when what is done counts.
-- Parameters: workspace, day_end (first moment after the day). Index: none, runs are few.
-- Not the ORM: kept as a temporary table.
select r.id, r.frozen_at, least(r.frozen_at + make_interval(days => c.conversion_days), %(day_end)s) as until, n.id as name_id
from run r
join campaign c on c.id = r.campaign_id and c.workspace_id = %(workspace)s
left join event_name n on n.workspace_id = %(workspace)s and n.name = c.conversion_event
where r.workspace_id = %(workspace)s and r.frozen_at < %(day_end)s
  and r.frozen_at + make_interval(days => c.conversion_days + 7) > %(day_end)s - interval '1 day'
