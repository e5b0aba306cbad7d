-- Takes a slot of the schedule: a row comes back to the one caller who got it, nothing to everybody else.
-- Parameters: workspace, job, slot, now, stale (a slot taken before then may be taken again). Index: the key of slot.
-- Not the ORM: an upsert that says whether it happened.
insert into slot (workspace_id, job, slot, taken_at)
values (%(workspace)s, %(job)s, %(slot)s, %(now)s)
on conflict (workspace_id, job, slot) do update set taken_at = excluded.taken_at where slot.taken_at < %(stale)s
returning job
