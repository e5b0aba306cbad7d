-- Takes erased people out of what undoing an import would need: the keys of their events, and what it changed of them.
-- Parameters: workspace, ids (array of uuids). Answers with the imports that told of them. Index: none; the workspace's
-- batches of the last 30 days are read. Not the ORM: three lists of one length, cut at the same places.
update import_batch b
set people = left_over.people, client_times = left_over.client_times, events = left_over.events,
    new_people = array(select p from unnest(b.new_people) as p where p <> all(%(ids)s::uuid[])),
    changes = left_over.changes
from (
    select
        s.id,
        coalesce(k.people, '{}') as people,
        coalesce(k.client_times, '{}') as client_times,
        coalesce(k.events, '{}') as events,
        coalesce(c.changes, '[]') as changes
    from import_batch s
    cross join lateral (
        select
            array_agg(person order by n) as people, array_agg(client_at order by n) as client_times,
            array_agg(event_id order by n) as events
        from unnest(s.people, s.client_times, s.events) with ordinality as t (person, client_at, event_id, n)
        where person <> all(%(ids)s::uuid[])
    ) k
    cross join lateral (
        select jsonb_agg(change) as changes, count(*) as kept
        from jsonb_array_elements(s.changes) as change
        where (change ->> 'id')::uuid <> all(%(ids)s::uuid[])
    ) c
    where s.workspace_id = %(workspace)s
      and (
          s.people && %(ids)s::uuid[] or s.new_people && %(ids)s::uuid[] or c.kept < jsonb_array_length(s.changes)
      )
) left_over
where b.workspace_id = %(workspace)s and b.id = left_over.id
returning b.file_id
