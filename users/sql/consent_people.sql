-- Those of the given people who have several ids, with whose they are; all are held until the transaction ends, so that
-- nobody is merged between being asked for and being written. Parameters: workspace, people (uuids).
-- Index: the key of end_user. Not the ORM: FOR KEY SHARE, which readers and writers of profiles do not wait for.
select u.id, coalesce(u.merged_into, u.id) as owner_id
from (
    select id, merged_into, own
    from end_user
    where workspace_id = %(workspace)s and id = any(%(people)s::uuid[])
    order by id
    for key share
) u
where u.merged_into is not null or u.own is not null
