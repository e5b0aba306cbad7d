-- Takes slots of the schedule: the jobs that this caller got come back, to everybody else nothing.
-- Parameters: workspace, jobs, slots, stale (arrays; a slot taken before then may be taken again). Index: the key of slot.
-- Not the ORM: an upsert that says whether it happened. Once more at once, too, when a night was under way after it was
-- taken and its worker is heard of no longer.
insert into slot (workspace_id, job, slot, taken_at)
select %(workspace)s, due.job, due.slot, clock_timestamp()
from unnest(%(jobs)s::text[], %(slots)s::timestamptz[]) as due (job, slot)
order by due.job
on conflict (workspace_id, job, slot) do update set taken_at = excluded.taken_at
where slot.taken_at < (%(stale)s::timestamptz[])[array_position(%(jobs)s::text[], slot.job::text)]
or exists (
    select from lease l
    where l.workspace_id = %(workspace)s and l.name = slot.job
    and l.until between slot.taken_at and clock_timestamp()
)
returning job
