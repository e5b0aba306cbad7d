-- The days on which each person ordered, what the orders of a day came to, and the first such day.
-- Parameters: workspace. Reads the temporary table value_orders; nobody else's rows are in it.
-- Not the ORM: it reads what was just computed. Orders of one day are one occasion, as the models have it.
select
    %(workspace)s::uuid as workspace_id, end_user_id, day, bounded(sum(net)) as spend,
    min(day) over (partition by end_user_id) as first_on
from value_orders
where not void
group by end_user_id, day
