-- Goes on with the spells of people who are counted and came since: their open spell ends, others follow, the last is open.
-- People who are counted afresh are not among them. Parameters: workspace, day, published. Index: person_day_by_day.
-- Not the ORM: a window over days, as moves of the count.
with came as (
    select p.end_user_id, p.day, f.last_seen_on
    from person_day p
    cross join lateral (
        select last_seen_on from facts
        where end_user_id = p.end_user_id and workspace_id = (select %(workspace)s::uuid) and last_seen_on is not null
        offset 0
    ) f
    where p.workspace_id = %(workspace)s and p.day > %(published)s and p.day <= %(day)s and p.visits > 0
        and p.end_user_id not in (
            select end_user_id from facts_due where workspace_id = %(workspace)s and due_on <= %(day)s
        )
),
visit as (
    select end_user_id, day from came
    union all
    select distinct end_user_id, last_seen_on from came
),
spell as (
    select day, lead(day) over (partition by end_user_id order by day) as next from visit
),
change as (
    select day, case when next is null then -1 else least(next - day - 1, 180) end as length, 1 as people
    from spell where next is null or next - day > 1
    union all
    select distinct_last.last_seen_on, -1, -1
    from (select distinct end_user_id, last_seen_on from came) distinct_last
)
insert into spell_moves (day, length, people)
select day, length, sum(people) from change group by day, length
