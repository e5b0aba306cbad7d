-- The first two core days of each person from the day they joined on (registered, else first seen), within `reach` days.
-- Parameters: workspace, day, reach. Reads the temporary tables known and fact_days. Index: the key of person_day.
-- Not the ORM: the n-th day per person after a day of their own.
with joined as (
    select k.end_user_id, coalesce(d.registered_on, case when k.registered_on <= %(day)s then k.registered_on end) as registered_on,
        d.first_seen_on, d.referred_by, k.inviter
    from known k
    left join fact_days d using (end_user_id)
)
select
    j.end_user_id,
    j.registered_on,
    coalesce(j.registered_on, j.first_seen_on) as joined_on,
    coalesce(j.inviter, j.referred_by) as inviter,
    c.core_on[1] as first_core_on,
    c.core_on[2] as second_core_on
from joined j
left join lateral (
    select array(
        select p.day from person_day p
        where p.workspace_id = %(workspace)s and p.end_user_id = j.end_user_id and p.core > 0
            and p.day between coalesce(j.registered_on, j.first_seen_on)
            and least(coalesce(j.registered_on, j.first_seen_on) + %(reach)s, %(day)s::date)
        order by p.day limit 2
    ) as core_on
) c on true
