-- People by source and month of registration: what they brought, what is expected of them, and per n up to 365 how many are
-- n days old and what these brought in their first n days.
-- Parameters: workspace, day, most (sources). Reads the temporary table value_orders. Index: facts_workspace.
-- Not the ORM: running sums. Day 1 is that of registration. At n, money of day n comes in, and whoever is younger than n
-- goes out with all they brought.
with registered as materialized (
    select
        f.end_user_id, u.source, date_trunc('month', f.registered_on)::date as month, f.registered_on,
        least(%(day)s::date - f.registered_on + 1, 365) as age, f.effective, f.orders, f.revenue_minor,
        coalesce(v.expected_revenue_minor, 0) as expected_minor
    from facts f
    join end_user u on u.id = f.end_user_id and u.workspace_id = %(workspace)s
    left join person_value v on v.end_user_id = f.end_user_id and v.workspace_id = %(workspace)s
    where f.workspace_id = %(workspace)s and f.registered_on <= %(day)s
),
listed as (
    select source from registered group by source order by count(*) desc, source limit %(most)s
),
cohort as not materialized (
    select r.* from registered r join listed using (source)
),
money as (
    select end_user_id, day, amount from value_orders where not void
    union all
    select p.end_user_id, p.day, -abs(coalesce(p.amount_minor, o.amount, 0))
    from purchase p
    left join value_orders o on o.end_user_id = p.end_user_id and o.order_key = p.order_key
    where p.workspace_id = %(workspace)s and p.day <= %(day)s and p.kind = 'refund' and o.void is not true
),
earned as (
    select c.source, c.month, c.age, m.day - c.registered_on + 1 as n, sum(m.amount) as minor
    from money m
    join cohort c using (end_user_id)
    where m.day - c.registered_on between 0 and 364
    group by c.source, c.month, c.age, n
),
step as (
    select source, month, 1 as n, count(*) as people, 0 as minor from cohort group by source, month
    union all
    select source, month, age + 1, -count(*), 0 from cohort where age < 365 group by source, month, age
    union all
    select source, month, n, 0, sum(minor) from earned group by source, month, n
    union all
    select source, month, age + 1, 0, -sum(minor) from earned where age < 365 group by source, month, age
),
summed as (
    select source, month, n, sum(people) as people, sum(minor) as minor from step group by source, month, n
),
curve as (
    select
        c.source, c.month, g.n,
        sum(coalesce(s.people, 0)) over life as people,
        sum(coalesce(s.minor, 0)) over life as minor
    from (select distinct source, month from cohort) c
    cross join generate_series(1, 365) as g (n)
    left join summed s on s.source = c.source and s.month = c.month and s.n = g.n
    window life as (partition by c.source, c.month order by g.n)
),
curves as (
    select source, month, array_agg(people::integer order by n) as aged, array_agg(bounded(minor) order by n) as brought_minor
    from curve
    group by source, month
),
counted as (
    select
        source, month,
        count(*)::integer as people,
        count(*) filter (where effective)::integer as effective,
        count(*) filter (where orders > 0)::integer as buyers,
        bounded(sum(revenue_minor)) as revenue_minor,
        bounded(sum(expected_minor)) as expected_revenue_minor
    from cohort
    group by source, month
)
select %(workspace)s::uuid as workspace_id, c.*, k.aged, k.brought_minor
from counted c
join curves k on k.source = c.source and k.month = c.month
