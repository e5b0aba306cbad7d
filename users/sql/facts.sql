-- One row of facts per person in `chunk`, as of a day: what was published of them (nothing, where they are counted afresh) and
-- what the other fact files found since. Parameters: workspace, effective_days. Reads the temporary tables of the other fact
-- files.
-- Not the ORM: the join of what those files computed. Recommendations are counted when everybody else's rows are there.
select
    %(workspace)s::uuid as workspace_id,
    p.end_user_id,
    coalesce(b.first_seen_on, d.first_seen_on) as first_seen_on,
    coalesce(d.last_seen_on, b.last_seen_on) as last_seen_on,
    j.registered_on,
    coalesce(b.visits_7, 0) + coalesce(d.visits_7, 0) as visits_7,
    coalesce(b.visits_30, 0) + coalesce(d.visits_30, 0) as visits_30,
    coalesce(b.visits_90, 0) + coalesce(d.visits_90, 0) as visits_90,
    coalesce(b.visits, 0) + coalesce(d.visits, 0) as visits,
    coalesce(b.active_days_7, 0) + coalesce(d.active_days_7, 0) as active_days_7,
    coalesce(b.active_days_30, 0) + coalesce(d.active_days_30, 0) as active_days_30,
    coalesce(b.active_days_90, 0) + coalesce(d.active_days_90, 0) as active_days_90,
    coalesce(b.active_days, 0) + coalesce(d.active_days, 0) as active_days,
    coalesce(b.core_days, 0) + coalesce(d.core_days, 0) as core_days,
    coalesce(b.first_core_on, d.first_core_on) as first_core_on,
    coalesce(d.last_core_on, b.last_core_on) as last_core_on,
    coalesce(b.habit_days, 0) + coalesce(d.habit_days, 0) as habit_days,
    coalesce(b.ever_habit, false) or h.end_user_id is not null as ever_habit,
    case when m.money then coalesce(m.ever_paid, false) else coalesce(b.ever_paid, false) end as ever_paid,
    coalesce(case when m.money then m.orders else b.orders end, 0) as orders,
    coalesce(case when m.money then m.revenue_minor else b.revenue_minor end, 0) as revenue_minor,
    coalesce(case when m.money then m.revenue_365_minor else b.revenue_365_minor end, 0) as revenue_365_minor,
    coalesce(case when m.money then m.window_orders else b.window_orders end, 0) as window_orders,
    coalesce(case when m.money then m.window_revenue_minor else b.window_revenue_minor end, 0) as window_revenue_minor,
    case when m.money then m.first_order_on else b.first_order_on end as first_order_on,
    case when m.money then m.last_order_on else b.last_order_on end as last_order_on,
    case when m.money then m.average_order_minor else b.average_order_minor end as average_order_minor,
    case when m.money then m.coupon_percent else b.coupon_percent end as coupon_percent,
    case when m.money then m.subsidy_dependent else b.subsidy_dependent end as subsidy_dependent,
    case when g.end_user_id is not null then g.gap_median else b.gap_median end as gap_median,
    case when g.end_user_id is not null then g.gap_p90 else b.gap_p90 end as gap_p90,
    coalesce(f.favourite_category, b.favourite_category, '') as favourite_category,
    coalesce(f.favourite_hour, b.favourite_hour) as favourite_hour,
    coalesce(f.favourite_weekday, b.favourite_weekday) as favourite_weekday,
    coalesce(f.app_version, b.app_version, '') as app_version,
    coalesce(b.effective, false) or coalesce(c.first_core_on - j.registered_on <= %(effective_days)s, false) as effective,
    j.counted is not true as gone
from chunk p
left join fact_before b using (end_user_id)
left join fact_joined j using (end_user_id)
left join fact_days d using (end_user_id)
left join fact_habits h using (end_user_id)
left join (
    select * from fact_buyers y left join fact_money n using (end_user_id) cross join (values (true)) as t (money)
) m using (end_user_id)
left join fact_starts c using (end_user_id)
left join fact_rhythm g using (end_user_id)
left join fact_favourites f using (end_user_id)
