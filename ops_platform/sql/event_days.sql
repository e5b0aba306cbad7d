-- How often one event happened on each day, and how many people did it; with a property's value, only where it has that.
-- Of people who are in the numbers only. Parameters: workspace, zone, name_id, first, last (days), start and stop (the
-- moments they begin and end at), property, value (null: all) and length (so much of a value is looked at). Index: BRIN on the event's time.
-- Not the ORM: days of a time zone, with the empty ones.
select d.day::date as day, coalesce(e.events, 0) as events, coalesce(e.people, 0) as people
from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as d (day)
left join (
    select (e.at at time zone %(zone)s)::date as day, count(*) as events, count(distinct e.end_user_id) as people
    from event e
    join end_user u on u.id = e.end_user_id and u.workspace_id = %(workspace)s and u.identified and not u.excluded and u.merged_into is null
    where e.workspace_id = %(workspace)s and e.name_id = %(name_id)s and e.at >= %(start)s and e.at < %(stop)s
        and (%(property)s::text is null or left(coalesce(e.properties ->> %(property)s, ''), %(length)s) = %(value)s)
    group by 1
) e on e.day = d.day
order by d.day
