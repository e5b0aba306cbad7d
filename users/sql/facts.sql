-- One row of facts per person known on the day: created by then, or with any event by then.
-- Parameters: workspace, day, effective_days. Reads the temporary tables of the other fact files. Index: facts_workspace.
-- Not the ORM: the join of what those files computed. Rhythm and favourites of people who are not stale are as stored.
select
    %(workspace)s::uuid as workspace_id,
    k.end_user_id,
    d.first_seen_on,
    d.last_seen_on,
    j.registered_on,
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
    h.end_user_id is not null as ever_habit,
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
    case when s.end_user_id is null then o.gap_median else g.gap_median end as gap_median,
    case when s.end_user_id is null then o.gap_p90 else g.gap_p90 end as gap_p90,
    coalesce(r.recommendations, 0) as recommendations,
    coalesce(case when s.end_user_id is null then o.favourite_category else f.favourite_category end, '') as favourite_category,
    case when s.end_user_id is null then o.favourite_hour else f.favourite_hour end as favourite_hour,
    case when s.end_user_id is null then o.favourite_weekday else f.favourite_weekday end as favourite_weekday,
    coalesce(case when s.end_user_id is null then o.app_version else f.app_version end, '') as app_version,
    coalesce(c.first_core_on - j.registered_on <= %(effective_days)s, false) as effective
from known k
join fact_joined j using (end_user_id)
left join fact_days d using (end_user_id)
left join fact_habits h using (end_user_id)
left join fact_money m using (end_user_id)
left join fact_starts c using (end_user_id)
left join fact_recommendations r using (end_user_id)
left join fact_stale s using (end_user_id)
left join fact_rhythm g using (end_user_id)
left join fact_favourites f using (end_user_id)
left join facts o on o.end_user_id = k.end_user_id and o.workspace_id = %(workspace)s
where k.created_on <= %(day)s or d.first_day <= %(day)s
