-- How many idle spells reached N = 1 … 180 days at least 30 days before a day, and how many of them ended in a visit.
-- Parameters: workspace, day. Index: the key of spell_count, which is of the published day (users/spells.py).
-- Not the ORM: rows for lengths that nobody reached, too. A spell reaches N when N days after a visit there was no next
-- one yet; so many days idle is what the night of that day would have said.
with spell as (
    select
        least(case when length >= 0 then length else %(day)s::date - day end, %(day)s::date - 30 - day, 180) as reached,
        length >= 0 as returned, people
    from spell_count
    where workspace_id = %(workspace)s and day <= %(day)s
),
ended as (
    select reached, sum(people) as spells, sum(people) filter (where returned) as returned
    from spell where reached > 0 group by reached
)
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    n::smallint as idle_days,
    coalesce(sum(e.spells), 0)::integer as spells,
    coalesce(sum(e.returned), 0)::integer as returned
from generate_series(1, 180) as n
left join ended e on e.reached >= n
group by n
