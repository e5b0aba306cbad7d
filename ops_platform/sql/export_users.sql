-- Everybody who is counted, with what the published night says of them. Parameters: workspace, day (the published day).
-- Index: none, the whole workspace is read. Not the ORM: streamed by COPY. RFM columns are empty outside its population.
select
    p.external_id,
    s.stage,
    s.activity as churn,
    case when r.end_user_id is not null then %(day)s::date - f.last_order_on end as r_days,
    case when r.end_user_id is not null then f.window_orders end as f_orders,
    case when r.end_user_id is not null then f.window_revenue_minor end as m_minor,
    r.r_score,
    r.f_score,
    r.m_score,
    r.rfm_group,
    r.rfm_bits,
    f.first_seen_on, f.last_seen_on, f.registered_on,
    f.visits_7, f.visits_30, f.visits_90, f.visits as visits_all,
    f.active_days_7, f.active_days_30, f.active_days_90, f.active_days as active_days_all,
    f.core_days, f.first_core_on, f.last_core_on, f.habit_days, f.ever_habit, f.ever_paid,
    f.orders, f.revenue_minor, f.first_order_on, f.last_order_on, f.average_order_minor,
    f.coupon_percent, f.subsidy_dependent, f.gap_median, f.gap_p90, f.recommendations,
    f.favourite_category, f.favourite_hour, f.favourite_weekday, f.app_version, f.effective,
    %(day)s::date - s.idle_from as idle_days,
    s.limit_days, s.limit_kind, s.stage_since, s.returned, s.activity_since, s.value_at_risk_minor
from end_user p
join standing s on s.end_user_id = p.id and s.workspace_id = %(workspace)s
join facts f on f.end_user_id = p.id and f.workspace_id = %(workspace)s
left join rfm_score r on r.end_user_id = p.id and r.workspace_id = %(workspace)s
where p.workspace_id = %(workspace)s and p.identified and not p.excluded and p.merged_into is null
order by p.external_id
