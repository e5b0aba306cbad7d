-- The segment's size and flow on a day, from its members and the changes of the day; returns them.
-- Parameters: workspace, segment, day. Index: segment_member_page, segment_change_day.
-- Not the ORM: an upsert of three counts in one statement.
insert into segment_day (workspace_id, segment_id, day, size, entered, "left")
select
    %(workspace)s, %(segment)s, %(day)s,
    (select count(*) from segment_member m where m.workspace_id = %(workspace)s and m.segment_id = %(segment)s),
    count(*) filter (where c.entered),
    count(*) filter (where not c.entered)
from segment_change c
where c.workspace_id = %(workspace)s and c.segment_id = %(segment)s and c.day = %(day)s
on conflict (workspace_id, segment_id, day) do update
set size = excluded.size, entered = excluded.entered, "left" = excluded."left"
returning size, entered, "left"
