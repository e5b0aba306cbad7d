-- What happened on each of a few days: people who came, who were new, who bought, orders and money.
-- Parameters: workspace, days (dates). Indexes: person_day_by_day, purchase_day. Not the ORM: three tables, one row per day.
-- Refunds are taken off on their own day, as everywhere.
select
    d.day,
    coalesce(v.people, 0) as active,
    coalesce(v.joined, 0) as joined,
    coalesce(p.buyers, 0) as buyers,
    coalesce(p.orders, 0) as orders,
    coalesce(p.revenue_minor, 0)::bigint as revenue_minor
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
        p.day,
        count(distinct p.end_user_id) filter (where p.kind = 'order') as buyers,
        count(distinct p.order_key) filter (where p.kind = 'order') as orders,
        sum(case p.kind when 'order' then p.amount_minor when 'refund' then -abs(p.amount_minor) end) as revenue_minor
    from purchase p
    join facts f on f.end_user_id = p.end_user_id and f.workspace_id = %(workspace)s
    where p.workspace_id = %(workspace)s and p.day = any(%(days)s::date[])
    group by p.day
) p on p.day = d.day
order by d.day desc
