-- The last three distinct events in the days before a step, oldest first (of those at one moment the one with the larger id), and
-- how many people they preceded it for. The people list knows them by the ids (LASTED in people_steps.py).
-- Parameters: as step_deeds, and shown (rows). Index: stage_change_day, the key of event per person.
-- Not the ORM: a rank per person. Also tells all who stepped (among them those with nothing before) and the median days
-- they had been in the stage; the day they came into it is that of the change before.
with mover as (
    select end_user_id, max(day) as day
    from stage_change
    where workspace_id = %(workspace)s and day > %(first_day)s and day <= %(last_day)s
        and from_stage = %(from_stage)s and to_stage = %(to_stage)s
    group by end_user_id
    order by end_user_id
    limit %(most)s
),
size as (
    select
        count(*)::integer as people,
        percentile_cont(0.5) within group (order by m.day - (
            select max(c.day) from stage_change c
            where c.end_user_id = m.end_user_id and c.workspace_id = %(workspace)s and c.day < m.day
        )) as days
    from mover m
),
last as (
    select m.end_user_id, e.name_id, e.rank
    from mover m
    cross join lateral (
        select o.name_id, row_number() over (order by max(o.at) desc, o.name_id) as rank
        from (
            select name_id, at
            from event
            where end_user_id = m.end_user_id and workspace_id = %(workspace)s and client_at between %(first_key)s and %(last_key)s
                and client_at between m.day - (%(days)s + 2) and m.day + 2
            offset 0
        ) o
        where o.at >= (m.day - %(days)s)::timestamp at time zone %(zone)s and o.at < m.day::timestamp at time zone %(zone)s
        group by o.name_id
        order by rank
        limit 3
    ) e
),
three as (
    select
        l.end_user_id, array_agg(n.name order by l.rank desc) as events, array_agg(n.id order by l.rank desc) as ids
    from last l
    join event_name n on n.id = l.name_id and n.workspace_id = %(workspace)s
    group by l.end_user_id
)
select t.events, t.ids, count(t.end_user_id)::integer as before, size.people, size.days
from size
left join three t on true
group by t.events, t.ids, size.people, size.days
order by before desc, t.events
limit %(shown)s
