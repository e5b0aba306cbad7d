-- The people of whom most is expected, with what it rests on.
-- Parameters: workspace, most. Index: person_value_workspace, the keys of the joined tables.
-- Not the ORM: the tables about people have no reverse relations.
select
    u.id, u.external_id, u.name, v.expected_orders, v.expected_revenue_minor, v.alive_percent,
    f.orders, f.revenue_minor, f.last_order_on, s.activity
from (
    select * from person_value where workspace_id = %(workspace)s order by expected_revenue_minor desc, end_user_id limit %(most)s
) v
join end_user u on u.id = v.end_user_id and u.workspace_id = %(workspace)s
left join facts f on f.end_user_id = v.end_user_id and f.workspace_id = %(workspace)s
left join standing s on s.end_user_id = v.end_user_id and s.workspace_id = %(workspace)s
order by v.expected_revenue_minor desc, v.end_user_id
