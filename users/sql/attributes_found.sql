-- Which attributes people have, of which types, and since when they were told: a row per name and type.
-- Parameters: workspace; code of ours may narrow the people `p`. Index: none, one pass over the profiles of the workspace.
-- jsonb_each stands among the columns because nested loops are off at night, which a lateral join would need. Nothing
-- filters the pairs: the planner would expect a handful of them, and sort millions instead of hashing them.
-- Not the ORM: a set of pairs per row.
select
    (pair).key as name, attribute_kind((pair).value) as kind,
    count(*) filter (where counted) as people,
    -- In microseconds, and below zero where a value only filled a gap (users/words.py).
    min(case when rank < 0 then -rank - 1 else rank end) as first_rank,
    max(case when rank < 0 then -rank - 1 else rank end) as last_rank,
    min(created_at) as first_created, max(created_at) as last_created
from (
    select pair, counted, created_at, (attribute_times ->> (pair).key)::bigint as rank
    from (
        select
            jsonb_each(case jsonb_typeof(p.attributes) when 'object' then p.attributes else '{}' end) as pair,
            p.attribute_times, p.created_at, p.identified and not p.excluded as counted
        from end_user p
        where p.workspace_id = %(workspace)s and p.merged_into is null {code}
    ) told
) ranked
group by 1, 2
