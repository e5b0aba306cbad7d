-- Where those who are due on a day, and have no row yet of those to be published, are parted: the last id of each part, and
-- how many come up to it. Parameters: workspace, day, most (people in a part), lanes (so many parts are wanted, unless they
-- would be small). Index: the key of facts_due.
-- Not the ORM: an anti-join, numbered.
select end_user_id, place
from (
    select end_user_id, row_number() over (order by end_user_id) as place, count(*) over () as people
    from (
        select distinct d.end_user_id
        from facts_due d
        where d.workspace_id = %(workspace)s and d.due_on <= %(day)s
            and not exists (
                select from facts_next n where n.end_user_id = d.end_user_id and n.workspace_id = %(workspace)s
            )
    ) due
) placed
where place %% least(%(most)s, greatest(people / %(lanes)s + 1, 1000)) = 0 or place = people
order by place
