-- Who converted, and the revenue of both arms, for runs whose window is still open on the day (or closed since the
-- last night). Conversion: the first chosen event within the window after the freeze; revenue: orders placed in the
-- window at their last amount, less refunds in it. A function of stored rows and the day, so it may run twice.
-- Parameters: workspace, day, day_end (first moment after the day). Index: event primary key (person first), delivery_run_state.
-- Not the ORM: one statement over all deliveries of the open runs.
with open_runs as (
    select r.id, r.frozen_at, least(r.frozen_at + make_interval(days => c.conversion_days), %(day_end)s) as until, n.id as name_id
    from run r
    join campaign c on c.id = r.campaign_id and c.workspace_id = %(workspace)s
    left join event_name n on n.workspace_id = %(workspace)s and n.name = c.conversion_event
    where r.workspace_id = %(workspace)s and r.frozen_at < %(day_end)s
      and r.frozen_at + make_interval(days => c.conversion_days + 7) > %(day_end)s - interval '1 day'
),
arms as (
    select d.end_user_id, d.run_id, o.frozen_at, o.until, o.name_id
    from delivery d
    join open_runs o on o.id = d.run_id
    -- Deliveries of people who were erased belong to nobody any more: what was counted of them stays.
    join end_user p on p.id = d.end_user_id and p.workspace_id = %(workspace)s
    where d.workspace_id = %(workspace)s and d.arm <> ''
),
converted as (
    select a.end_user_id, a.run_id, min(e.at) as at
    from arms a
    join event e
        on e.workspace_id = %(workspace)s and e.end_user_id = a.end_user_id and e.name_id = a.name_id
       and e.at >= a.frozen_at and e.at < a.until
    group by 1, 2
),
bought as (
    select
        a.end_user_id, a.run_id, b.kind, b.order_key,
        case when b.kind = 'refund' then b.event_id end as refund_id,
        (array_agg(b.amount_minor order by b.at desc, b.message_id desc))[1] as amount_minor
    from arms a
    join purchase b
        on b.workspace_id = %(workspace)s and b.end_user_id = a.end_user_id and b.kind in ('order', 'refund')
       and b.at >= a.frozen_at and b.at < a.until
    group by 1, 2, 3, 4, 5
),
revenue as (
    select end_user_id, run_id, sum(case kind when 'order' then amount_minor else -abs(amount_minor) end) as minor
    from bought
    group by 1, 2
)
update delivery d
set converted_at = x.at, revenue_minor = x.minor
from (
    select a.end_user_id, a.run_id, c.at, coalesce(v.minor, 0) as minor
    from arms a
    left join converted c using (end_user_id, run_id)
    left join revenue v using (end_user_id, run_id)
) x
where d.workspace_id = %(workspace)s and d.end_user_id = x.end_user_id and d.run_id = x.run_id
  and (d.converted_at, d.revenue_minor) is distinct from (x.at, x.minor)
