-- Deletes some events of a person who is erased, and of those whom their ids were merged into once, what came under these
-- ids. Parameters: workspace, ids and former (arrays of uuids), most. Answers with how many rows.
-- Index: the event table's key, which begins with the person. Not the ORM: a composite key in a chunk.
delete from event e
using (
    select end_user_id, client_at, event_id
    from event
    where workspace_id = %(workspace)s
      and end_user_id = any(%(ids)s::uuid[] || %(former)s::uuid[])
      and (end_user_id = any(%(ids)s::uuid[]) or origin_id = any(%(ids)s::uuid[]))
    limit %(most)s
) one
where e.workspace_id = %(workspace)s and e.end_user_id = one.end_user_id and e.client_at = one.client_at
    and e.event_id = one.event_id
