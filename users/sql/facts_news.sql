-- Makes those due of whom it was told that they are somebody else than they were, where their numbers rest on it: people
-- without a row, and people who joined or left the numbers, or whose creation, registration or inviter changed.
-- Parameters: workspace, day, everybody (whether numbers may rest on any attribute). Reads the temporary tables `news` and
-- `known`. Index: the keys. Not the ORM: INSERT … SELECT from temporary tables.
-- Ids that are nobody's are due as well: something was told of them, and the night tells that they left.
insert into facts_due (workspace_id, end_user_id, due_on)
select %(workspace)s, n.end_user_id, %(day)s
from news n
left join known k using (end_user_id)
left join lateral (
    select end_user_id, created_on, told_on, told_inviter
    from facts_state where end_user_id = n.end_user_id and workspace_id = (select %(workspace)s::uuid)
    offset 0
) s on true
left join lateral (
    select id from end_user where id = n.end_user_id and workspace_id = (select %(workspace)s::uuid) offset 0
) u on true
where u.id is null or (k.end_user_id is null) <> (s.end_user_id is null)
    or (k.end_user_id is not null and (
        %(everybody)s or (k.created_on, k.registered_on, k.inviter) is distinct from (s.created_on, s.told_on, s.told_inviter)
    ))
on conflict do nothing
