-- The links that can decide who the given ids are: the earliest login of each visitor that nobody refused, and every alias
-- they are named in. Parameters: workspace, ids (uuids). Indexes: the key of identity_link, identity_link_known.
-- Not the ORM: the first row per visitor. A device in a shop has logins by the thousand, of which only one counts.
(
    select distinct on (end_user_id) end_user_id, known_id, at, false as refused
    from identity_link
    where workspace_id = %(workspace)s and end_user_id = any(%(ids)s::uuid[]) and kind = 'login' and refused_at is null
    order by end_user_id, at, known_id
)
union
select end_user_id, known_id, at, refused_at is not null as refused
from identity_link
where workspace_id = %(workspace)s and end_user_id = any(%(ids)s::uuid[]) and kind = 'alias'
union
select end_user_id, known_id, at, refused_at is not null as refused
from identity_link
where workspace_id = %(workspace)s and known_id = any(%(ids)s::uuid[]) and kind = 'alias'
