-- Adds the spells of the people in `spelling`, as of a day, to the count, or takes them out (sign -1).
-- Parameters: workspace, day, sign. Index: the key of person_day. Not the ORM: a window over days, into an upsert.
insert into spell_count as old (workspace_id, day, length, people)
select
    %(workspace)s, day, case when next is null then -1 else least(next - day - 1, 180) end, count(*) * %(sign)s
from (
    select p.day, lead(p.day) over (partition by p.end_user_id order by p.day) as next
    from spelling s
    cross join lateral (
        select end_user_id, day
        from person_day
        where end_user_id = s.end_user_id and workspace_id = (select %(workspace)s::uuid) and day <= %(day)s and visits > 0
        offset 0
    ) p
) v
where next is null or next - day > 1
group by 2, 3
order by 2, 3 -- two who add wait for each other, and never in a circle
on conflict (workspace_id, day, length) do update set people = old.people + excluded.people
