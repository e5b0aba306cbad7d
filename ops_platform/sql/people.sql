-- Everything that the table of the people list shows of some people. Parameters: workspace, ids. Index: the keys, by person.
-- Not the ORM: the tables about people have no reverse relations.
select
    u.id, u.external_id, u.name, u.city, u.source, u.tags, u.excluded, u.excluded_reason, u.created_at,
    s.stage, s.stage_since, s.returned, s.activity, s.value_at_risk_minor, r.rfm_group, r.rfm_bits, v.expected_revenue_minor,
    f.last_seen_on, f.orders, f.revenue_minor, f.last_order_on, f.first_seen_on
from end_user u
left join facts f on f.end_user_id = u.id and f.workspace_id = %(workspace)s
left join standing s on s.end_user_id = u.id and s.workspace_id = %(workspace)s
left join rfm_score r on r.end_user_id = u.id and r.workspace_id = %(workspace)s
left join person_value v on v.end_user_id = u.id and v.workspace_id = %(workspace)s
where u.workspace_id = %(workspace)s and u.id = any(%(ids)s::uuid[])
