-- Orders that count, of everybody in the numbers, as of a day: their day, their amount, and the amount less what refunds
-- that name them took.
-- Parameters: workspace, day. Index: the key of purchase, which begins with the person.
-- Not the ORM: the latest version per order, as users/sql/facts_orders.sql has it; that file serves the facts alone.
with known as (
    select p.end_user_id, p.kind, p.order_key, p.at, p.message_id, p.event_id, p.day, p.amount_minor
    from purchase p
    join end_user u on u.id = p.end_user_id and u.workspace_id = %(workspace)s
    where p.workspace_id = %(workspace)s and p.day <= %(day)s and p.kind in ('order', 'refund')
        and u.identified and not u.excluded and u.merged_into is null
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
)
select v.end_user_id, v.order_key, v.day, v.amount, bounded(v.amount - coalesce(r.taken, 0)) as net,
    coalesce(r.taken + r.whole::numeric * abs(v.amount) >= v.amount, false) as void
from version v
left join refund r using (end_user_id, order_key)
