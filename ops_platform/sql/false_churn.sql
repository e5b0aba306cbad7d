-- Of the people flagged dormant on a day, how many were seen again since (误判率).
-- Parameters: workspace, day. Index: activity_change_day. Not the ORM: no relation between the two tables.
select count(*)::integer as flagged, count(*) filter (where f.last_seen_on > c.day)::integer as seen_again
from activity_change c
join facts f on f.end_user_id = c.end_user_id and f.workspace_id = %(workspace)s
where c.workspace_id = %(workspace)s and c.day = %(day)s and c.to_activity = 'dormant' and c.from_activity <> ''
