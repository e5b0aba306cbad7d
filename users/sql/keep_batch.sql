-- Keeps what one transaction of an import stored, by which it can be taken back. Parameters: workspace, batch, file,
-- position, rows (those about people), new_people, changes (JSON); people, times, events: the keys of the events (array texts of equal length).
-- Not the ORM: it would make an object of each of tens of thousands of ids.
insert into import_batch (workspace_id, id, file_id, position, rows, at, people, client_times, events, new_people, changes)
values (
    %(workspace)s, %(batch)s::uuid, %(file)s::uuid, %(position)s, %(rows)s, clock_timestamp(), %(people)s::uuid[],
    %(times)s::timestamptz[], %(events)s::uuid[], %(new_people)s::uuid[], %(changes)s::jsonb
)
