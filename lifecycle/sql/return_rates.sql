-- How many idle spells reached N = 1 … 180 days at least 30 days before a day, and how many of them ended in a visit.
-- Parameters: workspace, day. Index: the key of person_day, in whose order the window runs.
-- Not the ORM: a window over all days. A spell reaches N when N days after a visit there was no next one yet; so many
-- days idle is what the night of that day would have said.
with spell as (
    select
        least(coalesce(next - day - 1, %(day)s::date - day), %(day)s::date - 30 - day, 180) as reached,
        next is not null as returned
    from (
        select p.day, lead(p.day) over (partition by p.end_user_id order by p.day) as next
        from person_day p
        join facts f on f.end_user_id = p.end_user_id and f.workspace_id = %(workspace)s
        where p.workspace_id = %(workspace)s and p.day <= %(day)s and p.visits > 0
    ) v
),
ended as (
    select reached, count(*) as spells, count(*) filter (where returned) as returned
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
