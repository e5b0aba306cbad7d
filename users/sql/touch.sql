-- Lets the next night count these people anew. Parameters: workspace, people (text of an array of uuids, not empty).
-- Not the ORM: it would make an object of each id.
insert into touched (workspace_id, id, people) values (%(workspace)s, gen_random_uuid(), %(people)s::uuid[])
