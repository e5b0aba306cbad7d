-- Which attributes people have, of which types, and since when they were told: a row per name and type.
-- Parameters: workspace; code of ours may narrow the people `p`. Index: none, one pass over the profiles of the workspace;
-- jsonb_each stands among the columns because nested loops are off at night, which a lateral join would need.
-- Not the ORM: a set of pairs per row.
select
    name, kind,
    count(*) filter (where counted) as people,
    min(told_at) as first_at, max(told_at) as last_at,
    min(left(value #>> '{}', 60) collate "C") as example
from (
    select
        (pair).key as name, (pair).value as value, attribute_kind((pair).value) as kind, counted,
        coalesce(
            to_timestamp(case when rank < 0 then -rank - 1 else rank end / 1000000.0), created_at
        ) as told_at
    from (
        select pair, counted, created_at, (attribute_times ->> (pair).key)::bigint as rank
        from (
            select
                jsonb_each(p.attributes) as pair, p.attribute_times, p.created_at,
                p.identified and not p.excluded as counted
            from end_user p
            where p.workspace_id = %(workspace)s and p.merged_into is null
              and jsonb_typeof(p.attributes) = 'object' {code}
        ) told
    ) ranked
) typed
group by name, kind
having kind is not null and length(name) <= 255
