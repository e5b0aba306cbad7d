-- The commonest values of one property of one event between two moments, with the people behind each.
-- Of people who are in the numbers only. Parameters: workspace, name_id, start, stop, property, length (so much of a value is looked at), most. Index: BRIN on the event's time.
-- Not the ORM: groups by what a jsonb key holds.
select
    left(coalesce(e.properties ->> %(property)s, ''), %(length)s) as value,
    count(*) as events,
    count(distinct e.end_user_id) as people,
    sum(count(*)) over () as all_events
from event e
join end_user u on u.id = e.end_user_id and u.workspace_id = %(workspace)s and u.identified and not u.excluded and u.merged_into is null
where e.workspace_id = %(workspace)s and e.name_id = %(name_id)s and e.at >= %(start)s and e.at < %(stop)s
group by 1
order by count(*) desc, 1
limit %(most)s
