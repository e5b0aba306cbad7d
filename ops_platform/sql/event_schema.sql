-- The properties of a sample of the events of one name, with their types and an example: up to 100 events of every month.
-- Parameters: workspace, name_id, start, stop, most. Index: none needed, each month's partition is read until enough are
-- found; a rare name costs one scan. Not the ORM: jsonb_each returns a set per row.
select
    p.key as name, jsonb_typeof(p.value) as kind, count(*) as events,
    (array_agg(left(p.value #>> '{}', 200)))[1] as example
from generate_series(date_trunc('month', %(start)s::timestamptz, 'UTC'), %(stop)s::timestamptz, interval '1 month') as m (month)
cross join lateral (
    select e.properties
    from event e
    where e.workspace_id = %(workspace)s and e.name_id = %(name_id)s
        and e.client_at >= m.month and e.client_at < m.month + interval '1 month'
        and jsonb_typeof(e.properties) = 'object'
    limit 100
) sampled
cross join lateral jsonb_each(sampled.properties) as p
group by p.key, jsonb_typeof(p.value)
order by p.key, count(*) desc
limit %(most)s
