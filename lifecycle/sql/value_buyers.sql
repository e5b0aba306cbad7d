-- Everybody who had ordered by `until`: their history up to then, and what they ordered after.
-- Parameters: workspace, until. Reads the temporary table value_order_days. Not the ORM: filtered aggregates of it.
select
    %(workspace)s::uuid as workspace_id,
    end_user_id,
    first_on,
    max(day) filter (where day <= %(until)s) as last_on,
    count(*) filter (where day <= %(until)s)::integer - 1 as repeats,
    bounded(greatest(coalesce(sum(spend) filter (where day <= %(until)s and day > first_on), 0), 0)) as repeat_minor,
    count(*) filter (where day > %(until)s)::integer as later_orders,
    bounded(coalesce(sum(spend) filter (where day > %(until)s), 0)) as later_minor
from value_order_days
where first_on <= %(until)s
group by end_user_id, first_on
