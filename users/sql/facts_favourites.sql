-- What the visits of each stale person say as of a day: the most frequent hour, weekday (Monday = 0) and category (ties:
-- the one whose last visit is later, then the smallest), and the app version told last.
-- Parameters: workspace, day. Reads the temporary table fact_stale. Index: the key of person_day.
-- Not the ORM: unfolds arrays, keeps the best per person.
-- Days are counted from 0001-01-01, a Monday. How often and how late go into one number, whose largest is the favourite
-- and whose lower digits tell it: the last visit of an hour names the hour, the last of a weekday the weekday.
with days as (
    select
        p.end_user_id, (p.day - date '0001-01-01')::bigint as number, p.visits, p.hours, p.categories, p.app_version
    from fact_stale s
    cross join lateral (
        select * from person_day
        where workspace_id = %(workspace)s and end_user_id = s.end_user_id and day <= %(day)s and visits > 0
        offset 0 -- person by person, not all of the table
    ) p
),
hour as (
    select end_user_id, (max(times * 100000000 + latest) %% 100000000 %% 24)::smallint as value
    from (
        select end_user_id, count(*) as times, max(number * 24 + value) as latest
        from (select end_user_id, number, unnest(hours) as value from days) v
        group by end_user_id, value
    ) t
    group by end_user_id
),
weekday as (
    select end_user_id, (max(times * 100000000 + latest) %% 100000000 %% 7)::smallint as value
    from (
        select end_user_id, sum(visits)::bigint as times, max(number) as latest
        from days
        group by end_user_id, number %% 7
    ) t
    group by end_user_id
),
category as (
    select distinct on (end_user_id) end_user_id, value
    from (
        select end_user_id, value, count(*) as times, max(number * 1000000000 + place) as latest
        from (select end_user_id, number, unnest(categories) as value, generate_subscripts(categories, 1) as place from days) v
        group by end_user_id, value
    ) t
    order by end_user_id, times desc, latest desc
),
version as (
    select distinct on (end_user_id) end_user_id, app_version
    from days where app_version <> '' order by end_user_id, number desc
)
select
    h.end_user_id,
    h.value as favourite_hour,
    w.value as favourite_weekday,
    coalesce(c.value, '') as favourite_category,
    coalesce(v.app_version, '') as app_version
from hour h
join weekday w using (end_user_id)
left join category c using (end_user_id)
left join version v using (end_user_id)
