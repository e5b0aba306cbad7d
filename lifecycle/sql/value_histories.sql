-- Buyers by history, for the models: repeats, days from the first order to the last, days from the first to `until`,
-- people, spend of their repeats, and their orders and spend after `until`.
-- Parameters: workspace, until. Reads the temporary table {code}. Not the ORM: it reads what was just computed.
select
    repeats, last_on - first_on as recency, %(until)s::date - first_on as age, count(*) as people,
    bounded(sum(repeat_minor)) as repeat_minor, sum(later_orders)::bigint as later_orders,
    bounded(sum(later_minor)) as later_minor
from {code}
where workspace_id = %(workspace)s
group by repeats, recency, age
order by repeats, recency, age
