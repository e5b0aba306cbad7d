-- Some people as a file has them, in the order of ids. Parameters: workspace, ids. Index: the keys, by person.
-- Not the ORM: the tables about people have no reverse relations.
select
    u.id, u.external_id, u.name, u.email, u.phone, u.city, u.source, u.tags, u.created_at, s.stage, s.stage_since, s.activity,
    r.rfm_group, f.orders, f.revenue_minor, f.first_order_on, f.last_order_on, f.first_seen_on, f.last_seen_on
from end_user u
left join facts f on f.end_user_id = u.id and f.workspace_id = %(workspace)s
left join standing s on s.end_user_id = u.id and s.workspace_id = %(workspace)s
left join rfm_score r on r.end_user_id = u.id and r.workspace_id = %(workspace)s
where u.workspace_id = %(workspace)s and u.id = any(%(ids)s::uuid[])
order by u.id
