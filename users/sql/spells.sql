-- The spells of the people in `spelling`, as of a day, to be added to the count, or taken out (sign -1).
-- Parameters: workspace, day, sign. Index: the key of person_day. Not the ORM: a window over days.
select day, length, (count(*) * %(sign)s)::integer as people
from (
    select day, case when next is null then -1 else least(next - day - 1, 180) end as length
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
) s
group by day, length
