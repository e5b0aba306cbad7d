-- What the visits of each person with fresh ones say as of a day: the most frequent hour, weekday (Monday = 0) and category
-- (ties: the one whose last visit is later, then the smallest), and the tallies that tell it again when more visits come.
-- Parameters: workspace. Reads the temporary tables fact_history and fact_before.
-- Not the ORM: unfolds arrays, keeps the best per person.
-- Days are counted from 0001-01-01, a Monday. How often and how late go into one number, whose largest is the favourite
-- and whose lower digits tell it: the last visit of an hour names the hour, the last of a weekday the weekday.
with days as (
    select end_user_id, (day - date '0001-01-01')::bigint as number, visits, hours, categories, app_version
    from fact_history where fresh and visits > 0
),
before as (
    select b.* from fact_before b where b.end_user_id in (select end_user_id from days)
),
hour as (
    select
        end_user_id, array_agg(times * 100000000 + latest order by value) as hours,
        (max(times * 100000000 + latest) %% 100000000 %% 24)::smallint as value
    from (
        select end_user_id, value, sum(times) as times, max(latest) as latest
        from (
            select end_user_id, value::bigint as value, 1 as times, number * 24 + value as latest
            from (select end_user_id, number, unnest(hours) as value from days) v
            union all
            select end_user_id, tally %% 100000000 %% 24, (tally / 100000000)::integer, tally %% 100000000
            from (select end_user_id, unnest(hours) as tally from before) b
        ) every
        group by end_user_id, value
    ) t
    group by end_user_id
),
weekday as (
    select
        end_user_id, array_agg(times * 100000000 + latest order by value) as weekdays,
        (max(times * 100000000 + latest) %% 100000000 %% 7)::smallint as value
    from (
        select end_user_id, latest %% 7 as value, sum(times) as times, max(latest) as latest
        from (
            select end_user_id, visits as times, number as latest from days
            union all
            select end_user_id, (tally / 100000000)::integer, tally %% 100000000
            from (select end_user_id, unnest(weekdays) as tally from before) b
        ) every
        group by end_user_id, latest %% 7
    ) t
    group by end_user_id
),
category as (
    select
        end_user_id, array_agg(value order by tally desc) as categories, array_agg(tally order by tally desc) as tallies
    from (
        select end_user_id, value, sum(times) * 1000000000000 + max(latest) as tally
        from (
            select end_user_id, value, 1 as times, number * 1000000 + least(place, 999999) as latest
            from (
                select end_user_id, number, unnest(categories) as value, generate_subscripts(categories, 1) as place from days
            ) v
            union all
            select end_user_id, value, (tally / 1000000000000)::integer, tally %% 1000000000000
            from (select end_user_id, unnest(categories) as value, unnest(category_tallies) as tally from before) b
        ) every
        group by end_user_id, value
    ) t
    group by end_user_id
),
version as (
    select distinct on (end_user_id) end_user_id, app_version
    from days where app_version <> '' order by end_user_id, number desc
)
select
    h.end_user_id, %(workspace)s::uuid as workspace_id,
    h.value as favourite_hour,
    w.value as favourite_weekday,
    coalesce(c.categories[1], '') as favourite_category,
    v.app_version,
    h.hours, w.weekdays, coalesce(c.categories, '{}') as categories, coalesce(c.tallies, '{}') as category_tallies
from hour h
join weekday w using (end_user_id)
left join category c using (end_user_id)
left join version v using (end_user_id)
