-- Takes erased people off the night's lists. Parameters: workspace, ids (array of uuids). Index: the keys of touched and
-- person_news; the workspace's rows are read, which are those since the last night. Not the ORM: it has no difference of
-- arrays.
with news as (
    update person_news
    set people = array(select p from unnest(people) as p where p <> all(%(ids)s::uuid[]))
    where workspace_id = %(workspace)s and people && %(ids)s::uuid[]
)
update touched
set people = array(select p from unnest(people) as p where p <> all(%(ids)s::uuid[]))
where workspace_id = %(workspace)s and people && %(ids)s::uuid[]
