-- Packs the touched rows that are visible now: everybody once, at most so many in a row. Those together whose events are of
-- the day of most, and the others by week, since the same months are then read; where all are read, neighbours by id.
-- Answers with the ids of the rows, and people in each.
-- Rows of transactions that commit later stay for the next fold, together with their events.
-- Parameters: workspace, zone, most (people in a row), by_time. Index: the key of touched. Not the ORM: it has no DELETE … RETURNING.
with gone as (
    delete from touched where workspace_id = %(workspace)s returning people, first_key, last_key
),
told as (
    select unnest(people) as id, first_key, last_key from gone
),
person as (
    -- Without keys anything may have changed, whatever else is told.
    select
        id, case when bool_and(first_key is not null) then min(first_key) end as first_key,
        case when bool_and(last_key is not null) then max(last_key) end as last_key
    from told group by id
),
usual as (
    select mode() within group (order by date_trunc('day', first_key, %(zone)s)) as day from person
),
timed as (
    select
        -- A subquery of its own, which is asked once: joined, it may be counted anew for each person.
        p.*, date_trunc('day', first_key, %(zone)s) = (select day from usual) and %(by_time)s as on_day,
        case when %(by_time)s then date_trunc('week', first_key, %(zone)s) end as week
    from person p
),
packed as (
    select *, (row_number() over (partition by on_day, week order by id) - 1) / %(most)s as place from timed
)
insert into touched (workspace_id, id, people, first_key, last_key)
select %(workspace)s, gen_random_uuid(), array_agg(id order by id), min(first_key), max(last_key)
from packed group by on_day, week, place
returning id, cardinality(people) as people
