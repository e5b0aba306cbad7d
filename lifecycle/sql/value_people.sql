-- What is expected of each buyer, from what is expected of their history.
-- Parameters: workspace, day, repeats, recency, age (of the histories, in days), orders, alive (what was computed of each),
-- p, q, v (gamma-gamma). Reads the temporary tables value_buyers and value_tested. Not the ORM: it reads those.
with history as materialized (
    -- Many share one: what is the same for all of them is made once.
    select
        repeats, recency, age, orders::numeric(9, 2) as expected_orders,
        case when repeats > 0 then (100 * alive)::numeric(5, 2) end as alive_percent,
        orders * %(p)s::float8 / (%(p)s::float8 * repeats + %(q)s::float8 - 1) as times
    from unnest(
        %(repeats)s::integer[], %(recency)s::integer[], %(age)s::integer[], %(orders)s::float8[], %(alive)s::float8[]
    ) as h (repeats, recency, age, orders, alive)
)
select
    %(workspace)s::uuid as workspace_id,
    b.end_user_id,
    h.expected_orders,
    bounded(round((h.times * (%(v)s::float8 + b.repeat_minor))::numeric)) as expected_revenue_minor,
    h.alive_percent,
    t.repeats as tested_repeats
from value_buyers b
join history h on h.repeats = b.repeats and h.recency = b.last_on - b.first_on and h.age = %(day)s::date - b.first_on
left join value_tested t on t.end_user_id = b.end_user_id
