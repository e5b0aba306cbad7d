-- Slipping people, the dearest first, with the numbers that the reason is made of: one page behind an edge.
-- Parameters: workspace, most, after_value and after_id (of the last row of the page before, or null).
-- Index: the keys of the joined tables; all who are slipping are sorted. Not the ORM: the tables about people have no reverse relations.
with page as (
    select s.*
    from standing s
    where s.workspace_id = %(workspace)s and s.activity = 'slipping'
        and (%(after_id)s::uuid is null or s.value_at_risk_minor < %(after_value)s::bigint
            or (s.value_at_risk_minor = %(after_value)s::bigint and s.end_user_id > %(after_id)s::uuid))
    order by s.value_at_risk_minor desc, s.end_user_id
    limit %(most)s
)
select
    u.id, u.external_id, u.name, s.stage, s.value_at_risk_minor, s.idle_from, s.limit_days, s.limit_kind, s.signals,
    f.last_seen_on, f.gap_median, f.revenue_365_minor, f.orders, f.last_order_on, r.rfm_group
from page s
join end_user u on u.id = s.end_user_id and u.workspace_id = %(workspace)s
left join facts f on f.end_user_id = s.end_user_id and f.workspace_id = %(workspace)s
left join rfm_score r on r.end_user_id = s.end_user_id and r.workspace_id = %(workspace)s
order by s.value_at_risk_minor desc, s.end_user_id
