-- Each person's most frequent hour, weekday (Monday = 0) and category over all visits up to a day; ties: the one whose
-- last visit is later, then the smallest.
-- Parameters: workspace, day. Index: the key of person_day. Not the ORM: unfolds arrays, keeps the first per person.
-- `latest` orders visits by day and then by place in the day's list, which is in order of time.
with days as (
    select end_user_id, day, day - date '2000-01-01' as number, visits, hours, categories
    from person_day
    where workspace_id = %(workspace)s and day <= %(day)s and visits > 0
),
hour as (
    select distinct on (end_user_id) end_user_id, value
    from (
        select d.end_user_id, h.value, count(*) as times, max(d.number * 1000000000::bigint + h.place) as latest
        from days d cross join lateral unnest(d.hours) with ordinality as h (value, place)
        group by d.end_user_id, h.value
    ) t
    order by end_user_id, times desc, latest desc, value
),
weekday as (
    select distinct on (end_user_id) end_user_id, value
    from (
        select end_user_id, (extract(isodow from day) - 1)::smallint as value, sum(visits) as times, max(number) as latest
        from days
        group by end_user_id, extract(isodow from day)
    ) t
    order by end_user_id, times desc, latest desc
),
category as (
    select distinct on (end_user_id) end_user_id, value
    from (
        select d.end_user_id, c.value, count(*) as times, max(d.number * 1000000000::bigint + c.place) as latest
        from days d cross join lateral unnest(d.categories) with ordinality as c (value, place)
        group by d.end_user_id, c.value
    ) t
    order by end_user_id, times desc, latest desc, value collate "C"
)
select h.end_user_id, h.value as favourite_hour, w.value as favourite_weekday, coalesce(c.value, '') as favourite_category
from hour h
join weekday w using (end_user_id)
left join category c using (end_user_id)
