-- Every order and every payment as of a day: its amount, its day, and what refunds that name it have taken.
-- Parameters: workspace. Reads the temporary table fact_purchases.
-- Not the ORM: the latest version per order. Versions are rows of one person with one order id; the last that tells an
-- amount is the order (else the last, worth 0), and its day is that of the first row.
with version as (
    select distinct on (end_user_id, kind, order_key)
        end_user_id, kind, order_key, coalesce(amount_minor, 0) as amount, with_coupon, targeted,
        min(day) over (partition by end_user_id, kind, order_key) as day
    from fact_purchases
    where kind in ('order', 'pay')
    order by end_user_id, kind, order_key, (amount_minor is not null) desc, at desc, message_id collate "C" desc, event_id desc
),
refund as (
    -- Without an amount a refund gives back the whole order, so those are counted and multiplied below.
    select end_user_id, order_key, count(*) as refunds, sum(abs(coalesce(amount_minor, 0))) as taken,
        count(*) filter (where amount_minor is null) as whole
    from fact_purchases
    where kind = 'refund'
    group by end_user_id, order_key
)
select
    v.end_user_id, v.kind, v.order_key, v.day, v.amount, v.with_coupon, v.targeted,
    %(workspace)s::uuid as workspace_id,
    coalesce(r.taken + r.whole::numeric * abs(v.amount), 0) as taken,
    r.refunds is not null and r.taken + r.whole::numeric * abs(v.amount) >= v.amount as void
from version v
left join refund r using (end_user_id, order_key)
