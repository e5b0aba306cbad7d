-- What the profiles of the people in `chunk` hold: a row per person and attribute, with its type. Nothing of merged ids.
-- Parameters: workspace. Index: the key of end_user, person by person. Not the ORM: a set of pairs per row.
select
    end_user_id, (pair).key as name, attribute_kind((pair).value) as kind, counted, created_at,
    -- In microseconds, and below zero where a value only filled a gap (users/words.py).
    case when rank < 0 then -rank - 1 else rank end as rank
from (
    select end_user_id, pair, counted, created_at, (attribute_times ->> (pair).key)::bigint as rank
    from (
        select
            p.id as end_user_id, p.attribute_times, p.created_at, p.identified and not p.excluded as counted,
            jsonb_each(case jsonb_typeof(p.attributes) when 'object' then p.attributes else '{}' end) as pair
        from chunk c
        cross join lateral (
            select * from end_user
            where id = c.end_user_id and workspace_id = (select %(workspace)s::uuid) and merged_into is null
            offset 0
        ) p
    ) told
) ranked
where length((pair).key) <= 255 and jsonb_typeof((pair).value) <> 'null'
