-- Of the people who came between two days, how many did not come again within 30 days of a visit: by the app version told
-- that day, and by source. One of their days each, picked by a hash: of the first day or the last, those who come seldom
-- would fall to one version and those who come often to another.
-- Parameters: workspace, first_day, last_day. Index: person_day_by_day, the keys of facts and end_user.
-- Not the ORM: a day per person with the day they came next, then both counts from one reading. Who left the numbers is in
-- neither. The days that tell of coming again are read along, which costs a third of looking for them person by person.
with came as (
    select distinct on (d.end_user_id) d.end_user_id, d.app_version, coalesce(d.next_day > d.day + 30, true) as gone
    from (
        select end_user_id, day, app_version, lead(day) over (partition by end_user_id order by day) as next_day
        from person_day
        where workspace_id = %(workspace)s and day between %(first_day)s and %(last_day)s::date + 30 and visits > 0
    ) d
    where d.day <= %(last_day)s
    order by d.end_user_id, hashtext(d.end_user_id::text || d.day::text)
)
select
    case when grouping(c.app_version) = 0 then 'version' else 'source' end as kind,
    case when grouping(c.app_version) = 0 then c.app_version else u.source end as key,
    count(*)::integer as people,
    count(*) filter (where c.gone)::integer as gone
from came c
join facts f on f.end_user_id = c.end_user_id and f.workspace_id = %(workspace)s
join end_user u on u.id = c.end_user_id and u.workspace_id = %(workspace)s
group by grouping sets ((c.app_version), (u.source))
