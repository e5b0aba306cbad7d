-- Counts the people in `attributes_counted` where they belong, and no longer where they were; keeps where that is.
-- Parameters: workspace. Index: the keys. Not the ORM: three writes that have to agree, in one statement.
with moved as (
    select id, sum(sign)::integer as people
    from (
        select unnest(tallies) as id, 1 as sign from attributes_counted
        union all
        select unnest(before), -1 from attributes_counted
    ) m
    group by id
    having sum(sign) <> 0
),
counted as (
    update attribute_tally a set people = a.people + m.people
    from moved m where a.id = m.id and a.workspace_id = %(workspace)s
),
gone as (
    delete from profile_tally p
    using attributes_counted c
    where p.end_user_id = c.end_user_id and p.workspace_id = %(workspace)s and c.tallies = '{}'
)
insert into profile_tally (workspace_id, end_user_id, tallies)
select %(workspace)s, end_user_id, tallies from attributes_counted where tallies <> '{}'
on conflict (end_user_id, workspace_id) do update set tallies = excluded.tallies
