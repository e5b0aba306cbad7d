-- What people did in the days before a step from one stage to another, against those who have stayed where it begins.
-- Parameters: workspace, first_day (left out), last_day, from_stage, to_stage, most (people looked at on each side), days,
-- zone, first_key, last_key (days between which clients told it: which parts of event are read).
-- Index: stage_change_day, standing_stage, the key of event per person. Not the ORM: two groups of people, one count.
-- Ids are random, so the first in their order are a fair sample. Who stayed is looked at before the day of one of those
-- who moved, picked by their id, so that both sides are the same days; on both sides only those count who came then.
with mover as (
    select end_user_id, max(day) as day
    from stage_change
    where workspace_id = %(workspace)s and day > %(first_day)s and day <= %(last_day)s
        and from_stage = %(from_stage)s and to_stage = %(to_stage)s
    group by end_user_id
    order by end_user_id
    limit %(most)s
),
picked as materialized (select array_agg(day order by day, end_user_id) as days, count(*) as people from mover),
stayer as (
    select s.end_user_id, p.days[1 + mod(abs(hashtext(s.end_user_id::text)::bigint), p.people)] as day
    from standing s
    join facts f on f.end_user_id = s.end_user_id and f.workspace_id = %(workspace)s
    cross join picked p
    where s.workspace_id = %(workspace)s and s.stage = %(from_stage)s and s.stage_since <= %(first_day)s
        and f.last_seen_on > %(first_day)s::date - %(days)s and p.people > 0
    order by s.end_user_id
    limit %(most)s
),
person as (
    select end_user_id, day, true as moved from mover
    union all
    select end_user_id, day, false from stayer
),
-- Person by person, and by the key alone: the planner would otherwise read whole months of everybody's events, or the
-- index of times anew for each.
did as (
    select p.end_user_id, p.moved, e.name_id
    from person p
    cross join lateral (
        select distinct o.name_id
        from (
            select name_id, at
            from event
            where end_user_id = p.end_user_id and workspace_id = %(workspace)s and client_at between %(first_key)s and %(last_key)s
            offset 0
        ) o
        where o.at >= (p.day - %(days)s)::timestamp at time zone %(zone)s and o.at < p.day::timestamp at time zone %(zone)s
    ) e
),
named as materialized (
    select
        d.end_user_id, d.moved, n.name, n.is_passive, n.is_core or n.is_habit or n.is_pay as is_rule,
        bool_or(not n.is_passive) over (partition by d.end_user_id, d.moved) as came
    from did d
    join event_name n on n.id = d.name_id and n.workspace_id = %(workspace)s
)
select
    name, is_passive, is_rule,
    count(*) filter (where moved)::integer as moved,
    count(*) filter (where not moved)::integer as stayed,
    (select count(distinct end_user_id) from named where came and moved)::integer as movers,
    (select count(distinct end_user_id) from named where came and not moved)::integer as stayers
from named
where came
group by name, is_passive, is_rule
