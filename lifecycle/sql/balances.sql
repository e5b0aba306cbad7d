-- Whose balance differs on a day from the one kept last. A balance that cannot be read is none.
-- Parameters: workspace, day, attribute. Index: the key of balance_mark.
-- Not the ORM: the latest mark per person against today's attributes. Marks of the day itself are not looked at, so a
-- second run comes to the same rows. Clamped to what the column holds.
select %(workspace)s::uuid as workspace_id, n.end_user_id, %(day)s::date as day, n.balance
from (
    select f.end_user_id, b.value::numeric(40, 6) as balance
    from facts f
    join end_user u on u.id = f.end_user_id and u.workspace_id = %(workspace)s
    cross join lateral (
        -- Not least and greatest alone, to which no balance would be the smallest.
        select case when n is not null then least(greatest(n, -1e30), 1e30) end as value
        from number_in(u.attributes -> %(attribute)s) n
    ) b
    where f.workspace_id = %(workspace)s
) n
left join (
    select distinct on (end_user_id) end_user_id, balance
    from balance_mark
    where workspace_id = %(workspace)s and day < %(day)s
    order by end_user_id, day desc
) b on b.end_user_id = n.end_user_id
where n.balance is distinct from b.balance
