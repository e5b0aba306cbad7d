-- Make the members of one segment equal to the people in segment_match, and keep who entered and who left on the day.
-- A change that takes back an earlier one of the same day removes it: a day says what differs from the day before.
-- Somebody who is back on the day they left keeps the day they had entered on.
-- Parameters: workspace, segment, day. Reads the temporary table segment_match (end_user_id), filled by the read role.
-- Index: segment_member_page, segment_change_day; everything else is one pass over both sides (run without nested loops,
-- since the planner knows nothing of rows written a moment ago).
-- Not the ORM: one statement over all members, so that members and changes cannot disagree.
with difference as materialized (
    select coalesce(n.end_user_id, m.end_user_id) as end_user_id, m.end_user_id is null as entered
    from segment_match n
    full join (
        select end_user_id from segment_member where workspace_id = %(workspace)s and segment_id = %(segment)s
    ) m on m.end_user_id = n.end_user_id
    where n.end_user_id is null or m.end_user_id is null
),
left_today as (
    select end_user_id
    from segment_change
    where workspace_id = %(workspace)s and segment_id = %(segment)s and day = %(day)s and not entered
),
gone as (
    delete from segment_member m
    using difference d
    where m.workspace_id = %(workspace)s and m.segment_id = %(segment)s and m.end_user_id = d.end_user_id and not d.entered
),
come as (
    insert into segment_member (end_user_id, workspace_id, segment_id, entered_on)
    select
        d.end_user_id, %(workspace)s, %(segment)s,
        case when t.end_user_id is null then %(day)s::date else coalesce(
            (
                select max(c.day)
                from segment_change c
                where c.end_user_id = d.end_user_id and c.workspace_id = %(workspace)s and c.segment_id = %(segment)s
                  and c.entered and c.day < %(day)s
            ),
            %(day)s
        ) end
    from difference d
    left join left_today t on t.end_user_id = d.end_user_id
    where d.entered
),
taken_back as (
    delete from segment_change c
    using difference d
    where c.workspace_id = %(workspace)s and c.segment_id = %(segment)s and c.day = %(day)s
      and c.end_user_id = d.end_user_id and c.entered <> d.entered
    returning c.end_user_id
),
told as (
    insert into segment_change (end_user_id, workspace_id, segment_id, day, entered)
    select d.end_user_id, %(workspace)s, %(segment)s, %(day)s, d.entered
    from difference d
    left join taken_back t on t.end_user_id = d.end_user_id
    where t.end_user_id is null
    on conflict (end_user_id, workspace_id, segment_id, day) do update set entered = excluded.entered
)
select count(*) filter (where entered) as entered, count(*) filter (where not entered) as "left"
from difference
