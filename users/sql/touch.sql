-- Lets the next night count these people anew. Parameters: workspace, people (text of an array of uuids, not empty), first
-- and last: the keys between which events of theirs came, or nulls where some may be gone or mean something else. They
-- were compared as texts, where a whole second follows its parts: so a second more.
-- Not the ORM: it would make an object of each id.
insert into touched (workspace_id, id, people, first_key, last_key)
values (
    %(workspace)s, gen_random_uuid(), %(people)s::uuid[],
    %(first)s::timestamptz - interval '1 second', %(last)s::timestamptz + interval '1 second'
)
