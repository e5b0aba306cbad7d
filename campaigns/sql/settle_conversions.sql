-- Who converted, and the revenue of both arms, for the open runs. Conversion: the first chosen event within the window
-- after the freeze. Revenue, as docs/definitions.md says it of facts (users/sql/facts_money.sql): orders whose first row
-- lies in the window, at their last amount, less refunds in it; an order whose refunds reach its amount counts nowhere,
-- and neither do they. A function of stored rows and the day, so it may run twice.
-- Parameters: workspace. Reads the temporary tables open_run, fact_orders and fact_purchases, of who bought in a window.
-- Index: event primary key (person first), delivery_run_state.
-- Not the ORM: one statement over all deliveries of the open runs.
with arms as (
    select d.end_user_id, d.run_id, o.frozen_at, o.until, o.name_id
    from delivery d
    join open_run o on o.id = d.run_id
    -- Deliveries of people who were erased belong to nobody any more: what was counted of them stays.
    join end_user p on p.id = d.end_user_id and p.workspace_id = %(workspace)s
    where d.workspace_id = %(workspace)s and d.arm <> ''
),
converted as (
    select a.end_user_id, a.run_id, min(e.at) as at
    from arms a
    join event e
        on e.workspace_id = %(workspace)s and e.end_user_id = a.end_user_id and e.name_id = a.name_id
       and e.at >= a.frozen_at and e.at < a.until
    group by 1, 2
),
placed as (
    select end_user_id, order_key, min(at) as at from fact_purchases where kind = 'order' group by 1, 2
),
moved as (
    select o.end_user_id, p.at, o.amount as minor
    from fact_orders o
    join placed p using (end_user_id, order_key)
    where o.kind = 'order' and not o.void
    union all
    select r.end_user_id, r.at, -abs(coalesce(r.amount_minor, o.amount, 0)::numeric)
    from fact_purchases r
    left join fact_orders o on o.end_user_id = r.end_user_id and o.order_key = r.order_key and o.kind = 'order'
    where r.kind = 'refund' and o.void is not true
),
revenue as (
    select a.end_user_id, a.run_id, bounded(sum(m.minor)) as minor
    from arms a
    join moved m on m.end_user_id = a.end_user_id and m.at >= a.frozen_at and m.at < a.until
    group by 1, 2
)
update delivery d
set converted_at = x.at, revenue_minor = x.minor
from (
    select a.end_user_id, a.run_id, c.at, coalesce(v.minor, 0) as minor
    from arms a
    left join converted c using (end_user_id, run_id)
    left join revenue v using (end_user_id, run_id)
) x
where d.workspace_id = %(workspace)s and d.end_user_id = x.end_user_id and d.run_id = x.run_id
  and (d.converted_at, d.revenue_minor) is distinct from (x.at, x.minor)
