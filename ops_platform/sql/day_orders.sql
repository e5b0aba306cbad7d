-- The orders that count of some days, and the refunds of those days, as of a later one: what the days' revenue is made of.
-- Parameters: workspace, order_days (dates), orders_as_of. Indexes: purchase_day, then the key of purchase, by person.
-- Not the ORM: the latest version per order, as users/sql/facts_orders.sql has it; that file serves the facts alone.
-- An order is of the day of its first row. One whose refunds reach its amount counts nowhere, and neither do its refunds.
-- So only orders with a row on the days are looked at, of all their rows.
with buyer as (
    select end_user_id, array_agg(distinct order_key) as order_keys
    from purchase
    where workspace_id = %(workspace)s and day = any(%(order_days)s::date[]) and kind in ('order', 'refund')
    group by end_user_id
),
known as materialized (
    select p.*
    from buyer b
    cross join lateral (
        select end_user_id, kind, order_key, at, message_id, event_id, day, amount_minor
        from purchase
        where end_user_id = b.end_user_id and workspace_id = (select %(workspace)s::uuid) and day <= %(orders_as_of)s
            and kind in ('order', 'refund') and order_key = any(b.order_keys)
        offset 0
    ) p
),
version as (
    select distinct on (end_user_id, order_key)
        end_user_id, order_key, coalesce(amount_minor, 0) as amount,
        min(day) over (partition by end_user_id, order_key) as day
    from known
    where kind = 'order'
    order by end_user_id, order_key, (amount_minor is not null) desc, at desc, message_id collate "C" desc, event_id desc
),
refund as (
    select end_user_id, order_key, sum(abs(coalesce(amount_minor, 0))) as taken,
        count(*) filter (where amount_minor is null) as whole
    from known
    where kind = 'refund'
    group by end_user_id, order_key
),
standing_order as (
    select v.*, coalesce(r.taken + r.whole::numeric * abs(v.amount) >= v.amount, false) as void
    from version v
    left join refund r using (end_user_id, order_key)
)
select end_user_id, day, amount, 1 as orders
from standing_order
where not void and day = any(%(order_days)s::date[])
union all
select k.end_user_id, k.day, -abs(coalesce(k.amount_minor, o.amount, 0)), 0
from known k
left join standing_order o using (end_user_id, order_key)
where k.kind = 'refund' and k.day = any(%(order_days)s::date[]) and o.void is not true
