-- What happened on each of a few days: people who came, who were new, who bought, orders and money.
-- Parameters: workspace, days (dates); the hole `orders` takes day_orders.sql, with its own. Index: person_day_by_day.
-- Not the ORM: three tables, one row per day. Refunds are taken off on their own day, as everywhere.
select
    d.day,
    coalesce(v.people, 0) as active,
    coalesce(v.joined, 0) as joined,
    coalesce(p.buyers, 0) as buyers,
    coalesce(p.orders, 0) as orders,
    bounded(coalesce(p.revenue_minor, 0)) as revenue_minor
from unnest(%(days)s::date[]) as d (day)
left join (
    select p.day, count(*) as people, count(*) filter (where f.first_seen_on = p.day) as joined
    from person_day p
    join facts f on f.end_user_id = p.end_user_id and f.workspace_id = %(workspace)s
    where p.workspace_id = %(workspace)s and p.day = any(%(days)s::date[]) and p.visits > 0
    group by p.day
) v on v.day = d.day
left join (
    select
        o.day,
        count(distinct o.end_user_id) filter (where o.orders = 1) as buyers,
        sum(o.orders) as orders,
        sum(o.amount) as revenue_minor
    from ({orders}) o
    join facts f on f.end_user_id = o.end_user_id and f.workspace_id = %(workspace)s
    group by o.day
) p on p.day = d.day
order by d.day desc
