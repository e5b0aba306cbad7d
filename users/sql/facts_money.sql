-- Orders, revenue and payments per person as of a day, from the temporary tables `fact_orders` and `fact_purchases`.
-- Parameters: workspace, day, window (RFM window in days, null = all), subsidy_percent.
-- Not the ORM: filtered aggregates over two sources. An order whose refunds reach its amount counts nowhere, and neither
-- do its refunds; every other refund comes off on its own day, also one that names no order we know.
with moved as (
    select end_user_id, day, amount, 1 as orders, with_coupon, targeted
    from fact_orders where kind = 'order' and not void
    union all
    select p.end_user_id, p.day, -abs(coalesce(p.amount_minor, o.amount, 0)), 0, false, false
    from fact_purchases p
    left join fact_orders o on o.end_user_id = p.end_user_id and o.order_key = p.order_key and o.kind = 'order'
    where p.kind = 'refund' and o.void is not true
),
summed as (
    select
        end_user_id,
        sum(orders)::integer as orders,
        bounded(sum(amount)) as revenue_minor,
        bounded(coalesce(sum(amount) filter (where day > %(day)s::date - 365), 0)) as revenue_365_minor,
        coalesce(sum(orders) filter (where %(window)s::integer is null or day > %(day)s::date - %(window)s::integer), 0)::integer
            as window_orders,
        bounded(coalesce(sum(amount) filter (where %(window)s::integer is null or day > %(day)s::date - %(window)s::integer), 0))
            as window_revenue_minor,
        min(day) filter (where orders = 1) as first_order_on,
        max(day) filter (where orders = 1) as last_order_on,
        count(*) filter (where with_coupon) as with_coupon,
        count(*) filter (where orders = 1 and day > %(day)s::date - 365) as year_orders,
        count(*) filter (where targeted and day > %(day)s::date - 365) as year_targeted
    from moved
    group by end_user_id
),
payer as (
    select distinct end_user_id from fact_orders where kind = 'pay' and amount > taken
)
select
    end_user_id, %(workspace)s::uuid as workspace_id,
    coalesce(s.orders, 0) as orders,
    coalesce(s.revenue_minor, 0) as revenue_minor,
    coalesce(s.revenue_365_minor, 0) as revenue_365_minor,
    coalesce(s.window_orders, 0) as window_orders,
    coalesce(s.window_revenue_minor, 0) as window_revenue_minor,
    s.first_order_on,
    s.last_order_on,
    round(s.revenue_minor::numeric / nullif(s.orders, 0))::bigint as average_order_minor,
    round(100 * s.with_coupon::numeric / nullif(s.orders, 0), 2) as coupon_percent,
    case when s.year_orders >= 4 then s.year_targeted * 100 >= s.year_orders * %(subsidy_percent)s end as subsidy_dependent,
    p.end_user_id is not null as ever_paid
from summed s
full join payer p using (end_user_id)
