-- Of the people who came between two days, how many are dormant now: by the app version they used last then, and by source.
-- Parameters: workspace, first_day, last_day. Index: person_day_day, the keys of standing and end_user.
-- Not the ORM: the latest day per person, then both counts from one reading. Who left the numbers is in neither.
with cohort as (
    select distinct on (end_user_id) end_user_id, app_version
    from person_day
    where workspace_id = %(workspace)s and day between %(first_day)s and %(last_day)s and visits > 0
    order by end_user_id, app_version = '', day desc
)
select
    case when grouping(c.app_version) = 0 then 'version' else 'source' end as kind,
    case when grouping(c.app_version) = 0 then c.app_version else u.source end as key,
    count(*)::integer as people,
    count(*) filter (where s.activity = 'dormant')::integer as gone
from cohort c
join standing s on s.end_user_id = c.end_user_id and s.workspace_id = %(workspace)s
join end_user u on u.id = c.end_user_id and u.workspace_id = %(workspace)s
group by grouping sets ((c.app_version), (u.source))
