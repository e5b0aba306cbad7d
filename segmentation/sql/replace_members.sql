-- Make the members of one segment equal to the people in segment_match, and keep who entered and who left on the day.
-- A change that takes back an earlier one of the same day removes it: a day says what differs from the day before.
-- Somebody who is back on the day they left keeps the day they had entered on.
-- Parameters: workspace, segment, day. Reads the temporary table segment_match (end_user_id), filled by the read role.
-- Index: the keys of segment_member and segment_change; segment_member_page for the present members.
-- Not the ORM: one statement over all members, so that members and changes cannot disagree.
with gone as (
    delete from segment_member m
    where m.workspace_id = %(workspace)s and m.segment_id = %(segment)s
      and not exists (select from segment_match n where n.end_user_id = m.end_user_id)
    returning m.end_user_id
),
come as (
    insert into segment_member (end_user_id, workspace_id, segment_id, entered_on)
    select n.end_user_id, %(workspace)s, %(segment)s, coalesce(stay.entered_on, %(day)s::date)
    from segment_match n
    left join lateral (
        select max(before.day) as entered_on
        from segment_change today
        join segment_change before
            on before.end_user_id = today.end_user_id and before.workspace_id = %(workspace)s
            and before.segment_id = %(segment)s and before.entered and before.day < today.day
        where today.end_user_id = n.end_user_id and today.workspace_id = %(workspace)s
          and today.segment_id = %(segment)s and today.day = %(day)s and not today.entered
    ) stay on true
    where not exists (
        select from segment_member m
        where m.end_user_id = n.end_user_id and m.workspace_id = %(workspace)s and m.segment_id = %(segment)s
    )
    returning end_user_id
),
changed as (
    select end_user_id, false as entered from gone
    union all
    select end_user_id, true from come
),
taken_back as (
    delete from segment_change c
    using changed
    where c.workspace_id = %(workspace)s and c.segment_id = %(segment)s and c.day = %(day)s
      and c.end_user_id = changed.end_user_id and c.entered <> changed.entered
    returning c.end_user_id
),
told as (
    insert into segment_change (end_user_id, workspace_id, segment_id, day, entered)
    select changed.end_user_id, %(workspace)s, %(segment)s, %(day)s, changed.entered
    from changed
    where not exists (select from taken_back t where t.end_user_id = changed.end_user_id)
    on conflict (end_user_id, workspace_id, segment_id, day) do update set entered = excluded.entered
)
select (select count(*) from come) as entered, (select count(*) from gone) as left
