-- Packs the touched rows that are visible now: everybody once, at most so many in a row, those together whose events came in
-- the same week, since their months are then read together. Answers with the ids of the rows, and people in each.
-- Rows of transactions that commit later stay for the next fold, together with their events.
-- Parameters: workspace, most (people in a row). Index: the key of touched. Not the ORM: it has no DELETE … RETURNING.
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
packed as (
    select
        *, date_trunc('week', first_key, 'UTC') as week,
        (row_number() over (partition by date_trunc('week', first_key, 'UTC') order by id) - 1) / %(most)s as place
    from person
)
insert into touched (workspace_id, id, people, first_key, last_key)
select %(workspace)s, gen_random_uuid(), array_agg(id order by id), min(first_key), max(last_key)
from packed group by week, place
returning id, cardinality(people) as people
