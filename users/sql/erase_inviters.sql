-- Erases who brought others from what the night goes on from, where that is somebody who is erased.
-- Parameters: workspace, ids and names (arrays: of uuids, of external ids). Index: none; erasures are few.
-- Not the ORM: two tables in one statement.
with pending as (
    update facts_state_next s set told_inviter = null, inviter_id = null
    where s.workspace_id = %(workspace)s
        and (s.inviter_id = any(%(ids)s::uuid[]) or s.told_inviter = any(%(names)s::text[]))
)
update facts_state s set told_inviter = null, inviter_id = null
where s.workspace_id = %(workspace)s
    and (s.inviter_id = any(%(ids)s::uuid[]) or s.told_inviter = any(%(names)s::text[]))
