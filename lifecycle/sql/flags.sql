-- The activity flag of the people in `deciding` on a day, with the limit that decided it, what is at risk, and the day on which
-- one of these changes though nothing happens; and how they stood (`stood` is null for whoever stood nowhere).
-- Parameters: workspace, day, zone, rule, limit_days, limit_min, limit_max, slipping_percent, balance_attribute,
-- balance_floor. Reads the temporary tables deciding and fresh_signals. Indexes: the keys, by person. Not the ORM: one pass of exact comparisons.
-- Somebody who never came is idle since created and never dormant. With a balance above the floor, or none that can be
-- read, nobody is dormant under the rule with_balance. At risk: 90 days of the spend of the last 365, times the share
-- of spells of this length that did not end; divided once, so that a half is a half when it is rounded.
with person as (
    select
        f.end_user_id, f.last_seen_on is not null as seen, f.gap_median, f.revenue_365_minor,
        coalesce(f.last_seen_on, (u.created_at at time zone %(zone)s)::date) as idle_from,
        least(f.first_seen_on, f.registered_on, f.first_order_on, (u.created_at at time zone %(zone)s)::date) as known_on,
        %(rule)s <> 'fixed' and f.active_days >= 4 as has_rhythm,
        case
            when %(rule)s <> 'fixed' and f.active_days >= 4
                then least(greatest(3 * f.gap_median, 1.5 * f.gap_p90, %(limit_min)s), %(limit_max)s)
            else %(limit_days)s
        end::numeric as limit_days,
        u.attributes -> %(balance_attribute)s as balance,
        s.activity as stood, s.activity_since as stood_since, s.stage, s.stage_since, s.returned
    from deciding d
    cross join lateral (
        select * from facts where end_user_id = d.end_user_id and workspace_id = (select %(workspace)s::uuid) offset 0
    ) f
    left join lateral (
        -- Only of whom it is asked when they came, or what they have left: of most it is not.
        select created_at, attributes from end_user where id = d.end_user_id and workspace_id = (select %(workspace)s::uuid)
            and (f.last_seen_on is null or f.revenue_365_minor > 0 or %(rule)s = 'with_balance')
        offset 0
    ) u on true
    left join lateral (
        select * from standing where end_user_id = d.end_user_id and workspace_id = (select %(workspace)s::uuid) offset 0
    ) s on true
),
measured as (
    select
        p.*,
        greatest(%(day)s::date - idle_from, 0) as idle,
        %(rule)s <> 'with_balance' or coalesce(
            number_in(balance) <= %(balance_floor)s, false
        ) as may_sleep
    from person p
),
flagged as (
    select
        m.*,
        case
            when seen and idle >= limit_days and may_sleep then 'dormant'
            when idle * 100 >= limit_days * %(slipping_percent)s or x.signals is not null then 'slipping'
            else 'active'
        end as activity,
        case
            when seen and idle >= limit_days and not may_sleep then 'balance'
            when has_rhythm then 'personal'
            when %(rule)s = 'fixed' then 'fixed'
            else 'default'
        end as limit_kind,
        coalesce(x.signals, '{}') as signals
    from measured m
    left join fresh_signals x on x.end_user_id = m.end_user_id
)
select
    g.end_user_id, g.activity, g.idle_from, g.limit_days, g.limit_kind, g.signals,
    case when g.activity = 'slipping' then bounded(round(
        greatest(g.revenue_365_minor, 0)::numeric * 90 * case when r.spells > 0 then r.spells - r.returned else 1 end
        / (least(greatest(%(day)s::date - g.known_on + 1, 30), 365) * case when r.spells > 0 then r.spells else 1 end)
    )) end as value_at_risk_minor,
    case
        when g.activity = 'active' then g.idle_from + ceil(g.limit_days * %(slipping_percent)s / 100)::integer
        when g.activity = 'slipping' and g.revenue_365_minor > 0 then %(day)s::date + 1
        when g.activity = 'slipping' and g.seen and g.may_sleep then g.idle_from + ceil(g.limit_days)::integer
    end as due_on,
    g.seen, g.idle, g.gap_median, g.stood, g.stood_since, g.stage, g.stage_since, g.returned
from flagged g
left join return_rate r on r.workspace_id = %(workspace)s and r.day = %(day)s and r.idle_days = least(greatest(g.idle, 1), 180)
