-- Whom a change of settings moves, and from where to where: a row per person and board on which the two differ.
-- Parameters: workspace. Reads the temporary tables tiers_before and tiers_after, which hold one workspace.
-- Not the ORM: everybody before against everybody after.
select end_user_id, board, coalesce(was, '') as from_key, coalesce(now, '') as to_key
from (
    select
        coalesce(a.end_user_id, b.end_user_id) as end_user_id,
        unnest(array['stage', 'activity', 'rfm', 'bits']) as board,
        unnest(array[b.stage, b.activity, b.rfm, b.bits]) as was,
        unnest(array[a.stage, a.activity, a.rfm, a.bits]) as now
    from tiers_before b
    full join tiers_after a using (end_user_id)
    where (a.stage, a.activity, a.rfm, a.bits) is distinct from (b.stage, b.activity, b.rfm, b.bits)
) m
where coalesce(was, '') <> coalesce(now, '') and %(workspace)s::uuid is not null
