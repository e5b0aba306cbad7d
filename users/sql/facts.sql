-- One row of facts per person known on the day: created by then, or with any event by then.
-- Parameters: workspace, day, effective_days. Reads the temporary tables of the other fact files.
-- Not the ORM: the join of what those files computed.
select
    %(workspace)s::uuid as workspace_id,
    k.end_user_id,
    d.first_seen_on,
    d.last_seen_on,
    s.registered_on,
    coalesce(d.visits_7, 0) as visits_7,
    coalesce(d.visits_30, 0) as visits_30,
    coalesce(d.visits_90, 0) as visits_90,
    coalesce(d.visits, 0) as visits,
    coalesce(d.active_days_7, 0) as active_days_7,
    coalesce(d.active_days_30, 0) as active_days_30,
    coalesce(d.active_days_90, 0) as active_days_90,
    coalesce(d.active_days, 0) as active_days,
    coalesce(d.core_days, 0) as core_days,
    d.first_core_on,
    d.last_core_on,
    coalesce(d.habit_days, 0) as habit_days,
    coalesce(d.ever_habit, false) as ever_habit,
    coalesce(m.ever_paid, false) as ever_paid,
    coalesce(m.orders, 0) as orders,
    coalesce(m.revenue_minor, 0) as revenue_minor,
    coalesce(m.revenue_365_minor, 0) as revenue_365_minor,
    coalesce(m.window_orders, 0) as window_orders,
    coalesce(m.window_revenue_minor, 0) as window_revenue_minor,
    m.first_order_on,
    m.last_order_on,
    m.average_order_minor,
    m.coupon_percent,
    m.subsidy_dependent,
    g.gap_median,
    g.gap_p90,
    coalesce(r.recommendations, 0) as recommendations,
    coalesce(f.favourite_category, '') as favourite_category,
    f.favourite_hour,
    f.favourite_weekday,
    coalesce(d.app_version, '') as app_version,
    coalesce(s.first_core_on - s.registered_on <= %(effective_days)s, false) as effective
from known k
join fact_starts s using (end_user_id)
left join fact_days d using (end_user_id)
left join fact_rhythm g using (end_user_id)
left join fact_favourites f using (end_user_id)
left join fact_money m using (end_user_id)
left join fact_recommendations r using (end_user_id)
where k.created_on <= %(day)s or d.first_day <= %(day)s
