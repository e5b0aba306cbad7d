-- Property names of the events of one name between two moments: up to 50 events of every month are looked at, because a
-- property may have come, or been asked for, later than the first events.
-- Parameters: workspace, name_id, start, stop, most. Index: none needed, each month's partition is read until enough
-- are found; a rare name costs one scan. Not the ORM: jsonb_object_keys returns a set per row.
select key as name
from generate_series(date_trunc('month', %(start)s::timestamptz, 'UTC'), %(stop)s::timestamptz, interval '1 month') as m (month)
cross join lateral (
    select e.properties
    from event e
    where e.workspace_id = %(workspace)s and e.name_id = %(name_id)s
        and e.client_at >= m.month and e.client_at < m.month + interval '1 month'
        and e.at >= %(start)s and e.at < %(stop)s
        and jsonb_typeof(e.properties) = 'object'
    limit 50
) sampled
cross join jsonb_object_keys(sampled.properties) as key
group by key
order by count(*) desc, key
limit %(most)s
