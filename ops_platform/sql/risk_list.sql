-- Slipping people, the dearest first, with the numbers that the reason is made of.
-- Parameters: workspace, most. Index: standing_stage, the keys of the joined tables.
-- Not the ORM: the tables about people have no reverse relations.
select
    u.id, u.external_id, u.name, s.stage, s.value_at_risk_minor, s.idle_from, s.limit_days, s.limit_kind,
    f.last_seen_on, f.gap_median, f.revenue_365_minor, f.orders, r.rfm_group
from standing s
join end_user u on u.id = s.end_user_id and u.workspace_id = %(workspace)s
left join facts f on f.end_user_id = s.end_user_id and f.workspace_id = %(workspace)s
left join rfm_score r on r.end_user_id = s.end_user_id and r.workspace_id = %(workspace)s
where s.workspace_id = %(workspace)s and s.activity = 'slipping'
order by s.value_at_risk_minor desc nulls last, u.id
limit %(most)s
