-- A night by one set-based statement over the raw events: everything anew, the answer as a table.
-- Parameters: workspace, day, zone, passive, order_name, refund_name, registered_name, referred_name, and the settings.
-- What was told last or first is found as the greatest or smallest of a text: time, message id, value.
create table bench.by_sql as
with counted as materialized (
    select id, (created_at at time zone %(zone)s)::date as created_on, external_id,
        nullif(coalesce(nullif(referred_by, ''), attributes ->> 'referred_by'), '') as inviter,
        left(coalesce(attributes ->> 'registered_at', attributes ->> 'created'), 10)::date as told_on
    from end_user
    where workspace_id = %(workspace)s and identified and not excluded and merged_into is null
),
deed as not materialized (
    select c.id, n.name, e.at, (e.at at time zone %(zone)s)::date as day, (e.at at time zone %(zone)s) as local, e.message_id,
        e.properties, e.amount_minor, e.order_id, n.name <> all(%(passive)s) as visit
    from event e
    join event_name n on n.id = e.name_id and n.workspace_id = %(workspace)s
    join counted c on c.id = e.end_user_id
    where e.workspace_id = %(workspace)s and e.at < (%(day)s::date + 1)::timestamp at time zone %(zone)s
),
days as materialized (
    select id, day, count(*) filter (where visit) as visits, count(*) filter (where name = %(order_name)s) as core
    from deed group by id, day
),
hours as (
    select id, max(times * 100000000 + latest) %% 100000000 %% 24 as favourite_hour
    from (
        select id, count(*) as times, extract(hour from local)::bigint as hour,
            max((day - date '1970-01-01')::bigint * 24 + extract(hour from local)::bigint) as latest
        from deed where visit group by id, extract(hour from local)::bigint
    ) t group by id
),
weekdays as (
    select id, max(times * 100000000 + latest) %% 100000000 %% 7 as favourite_weekday
    from (
        -- 1969-12-29 was a Monday.
        select id, sum(visits)::bigint as times, max(day - date '1969-12-29')::bigint as latest
        from days where visits > 0 group by id, (day - date '1969-12-29') %% 7
    ) t group by id
),
categories as (
    select distinct on (id) id, category as favourite_category
    from (
        select id, properties ->> 'category' as category, count(*) as times, max(at) as latest
        from deed where visit and properties ? 'category' group by id, properties ->> 'category'
    ) t order by id, times desc, latest desc, category collate "C"
),
told as materialized (
    select id,
        split_part(max(concat(local::text, chr(1), message_id, chr(1), properties ->> 'app_version') collate "C")
            filter (where visit and properties ? 'app_version'), chr(1), 3) as app_version,
        split_part(min(concat(local::text, chr(1), message_id, chr(1), properties ->> 'referred_by') collate "C")
            filter (where name = %(referred_name)s), chr(1), 3) as inviter,
        min(day) filter (where name = %(registered_name)s) as registered_on
    from deed where visit and properties ? 'app_version' or name in (%(registered_name)s, %(referred_name)s)
    group by id
),
seen as materialized (
    select id, min(day) as first_day,
        min(day) filter (where visits > 0) as first_seen_on, max(day) filter (where visits > 0) as last_seen_on,
        coalesce(sum(visits) filter (where day > %(day)s::date - 7), 0) as visits_7,
        coalesce(sum(visits) filter (where day > %(day)s::date - 30), 0) as visits_30,
        coalesce(sum(visits) filter (where day > %(day)s::date - 90), 0) as visits_90,
        sum(visits) as visits,
        count(*) filter (where visits > 0 and day > %(day)s::date - 7) as active_days_7,
        count(*) filter (where visits > 0 and day > %(day)s::date - 30) as active_days_30,
        count(*) filter (where visits > 0 and day > %(day)s::date - 90) as active_days_90,
        count(*) filter (where visits > 0) as active_days,
        count(*) filter (where core > 0) as core_days,
        min(day) filter (where core > 0) as first_core_on,
        max(day) filter (where core > 0) as last_core_on,
        count(*) filter (where core > 0 and day > %(day)s::date - %(habit_window)s) as habit_days
    from days group by id
),
habits as (
    select distinct id
    from (
        select id, day - lag(day, %(habit_days)s - 1) over (partition by id order by day) as span from days where core > 0
    ) h where span < %(habit_window)s
),
gaps as materialized (
    select id, day, day - lag(day) over w as gap, lead(day) over w as next,
        row_number() over (partition by id order by day desc) as place
    from days where visits > 0 window w as (partition by id order by day)
),
rhythms as (
    select id, round((percentile_cont(0.5) within group (order by gap))::numeric, 2) as gap_median,
        round((percentile_cont(0.9) within group (order by gap))::numeric, 2) as gap_p90
    from gaps where gap is not null and place <= 30 group by id
),
money as materialized (
    select id, name, day, at, message_id, amount_minor, coalesce(nullif(order_id, ''), 'row:' || message_id) as key,
        coalesce(properties ->> 'coupon_id', '') <> '' as coupon, nullif(properties ->> 'coupon_kind', '') as kind
    from deed where name in (%(order_name)s, %(refund_name)s)
),
orders as (
    select distinct on (id, key) id, key, min(day) over (partition by id, key) as day, coalesce(amount_minor, 0) as amount,
        coupon, coalesce(kind = 'targeted', coupon) as targeted
    from money where name = %(order_name)s
    order by id, key, amount_minor is not null desc, at desc, message_id collate "C" desc
),
refunds as (
    select id, key, sum(abs(coalesce(amount_minor, 0))) as taken, count(*) filter (where amount_minor is null) as whole
    from money where name = %(refund_name)s group by id, key
),
judged as materialized (
    select o.*, coalesce(r.taken + r.whole * abs(o.amount) >= o.amount, false) as void
    from orders o left join refunds r using (id, key)
),
moved as (
    select id, day, amount, 1 as n, coupon, targeted from judged where not void
    union all
    select m.id, m.day, -abs(coalesce(m.amount_minor, o.amount, 0)), 0, false, false
    from money m left join judged o using (id, key)
    where m.name = %(refund_name)s and o.void is not true
),
books as materialized (
    select id, sum(n) as orders, sum(amount) as revenue_minor, count(*) filter (where coupon) as coupons,
        min(day) filter (where n = 1) as first_order_on, max(day) filter (where n = 1) as last_order_on,
        coalesce(sum(n) filter (where day > %(day)s::date - %(year)s), 0) as window_orders,
        coalesce(sum(amount) filter (where day > %(day)s::date - %(year)s), 0) as window_revenue_minor,
        count(*) filter (where targeted and day > %(day)s::date - %(year)s) as year_targeted
    from moved group by id
),
joined as materialized (
    select c.id, c.created_on, s.first_day, r.registered_on, coalesce(r.registered_on, s.first_seen_on) as joined_on,
        coalesce(c.inviter, nullif(t.inviter, '')) as inviter
    from counted c
    left join seen s using (id)
    left join told t using (id)
    cross join lateral (
        select coalesce(t.registered_on, case when c.told_on <= %(day)s then c.told_on end) as registered_on
    ) r
),
starts as materialized (
    select j.id, min(d.day) as core_on, (array_agg(d.day order by d.day))[2] as second_on
    from joined j join days d using (id)
    where d.core > 0 and d.day between j.joined_on and j.joined_on + 30
    group by j.id
),
recommended as (
    select o.id, count(*) as recommendations
    from starts s
    join joined j on j.id = s.id
    join end_user u on u.external_id = j.inviter and u.workspace_id = %(workspace)s and u.identified
    join counted o on o.id = coalesce(u.merged_into, u.id) and o.id <> j.id
    where s.second_on > %(day)s::date - %(year)s
    group by o.id
),
facts as materialized (
    select j.id, j.created_on, s.first_seen_on, s.last_seen_on, j.registered_on, s.first_core_on, s.last_core_on,
        coalesce(visits_7, 0) as visits_7, coalesce(visits_30, 0) as visits_30, coalesce(visits_90, 0) as visits_90,
        coalesce(visits, 0) as visits, coalesce(active_days_7, 0) as active_days_7, coalesce(active_days_30, 0) as active_days_30,
        coalesce(active_days_90, 0) as active_days_90, coalesce(active_days, 0) as active_days,
        coalesce(core_days, 0) as core_days, coalesce(habit_days, 0) as habit_days, h.id is not null as ever_habit,
        b.first_order_on, b.last_order_on, coalesce(b.orders, 0) as orders, coalesce(b.revenue_minor, 0) as revenue_minor,
        coalesce(b.window_orders, 0) as window_orders, coalesce(b.window_revenue_minor, 0) as window_revenue_minor,
        round(b.revenue_minor / nullif(b.orders, 0)) as average_order_minor,
        round(100 * b.coupons::numeric / nullif(b.orders, 0), 2) as coupon_percent,
        case when b.window_orders >= 4 then b.year_targeted * 100 >= b.window_orders * 80 end as subsidy_dependent,
        coalesce(r.recommendations, 0) as recommendations, g.gap_median, g.gap_p90, fh.favourite_hour, fw.favourite_weekday,
        coalesce(fc.favourite_category, '') as favourite_category, coalesce(t.app_version, '') as app_version,
        coalesce(i.core_on - j.registered_on <= 7, false) as effective
    from joined j
    left join seen s using (id) left join habits h using (id) left join books b using (id) left join recommended r using (id)
    left join rhythms g using (id) left join hours fh using (id) left join weekdays fw using (id)
    left join categories fc using (id) left join told t using (id) left join starts i using (id)
    where j.created_on <= %(day)s or j.first_day <= %(day)s
),
spell as (
    select least(coalesce(next - day - 1, %(day)s::date - day), %(day)s::date - 30 - day, 180) as reached,
        next is not null as back
    from gaps
),
ended as (
    select reached, count(*) as spells, count(*) filter (where back) as backs from spell group by reached
),
curve as (
    select n as idle, sum(spells) as spells, sum(backs) as backs
    from generate_series(1, 180) n join ended on reached >= n group by n
),
measured as (
    select *, coalesce(last_seen_on, created_on) as idle_from,
        greatest(%(day)s::date - coalesce(last_seen_on, created_on), 0) as idle, last_seen_on is not null as seen,
        least(greatest(%(day)s::date - least(first_seen_on, registered_on, first_order_on, created_on) + 1, 30), 365) as known,
        case when active_days >= 4 then least(greatest(3 * gap_median, 1.5 * gap_p90, %(limit_min)s), %(limit_max)s)
            else %(limit_days)s end as limit_days
    from facts
),
flags as (
    select *, case when seen and idle >= limit_days then 'dormant'
        when idle * 100 >= limit_days * %(slipping_percent)s then 'slipping' else 'active' end as activity
    from measured
),
buyers as materialized (
    select id, %(day)s::date - last_order_on as r, window_orders as f, window_revenue_minor as m, first_order_on
    from facts where window_orders > 0
),
cuts as (
    select array_agg(round(r::numeric, 1)) as r, array_agg(round(f::numeric, 1)) as f, array_agg(round(m::numeric, 1)) as m,
        max(n) as n, max(rs) as rs, max(fs) as fs, max(ms) as ms
    from (
        select unnest(percentile_cont(array[0.2, 0.4, 0.6, 0.8]) within group (order by r)) as r,
            unnest(percentile_cont(array[0.2, 0.4, 0.6, 0.8]) within group (order by f)) as f,
            unnest(percentile_cont(array[0.2, 0.4, 0.6, 0.8]) within group (order by m)) as m,
            count(*) as n, sum(r) as rs, sum(f) as fs, sum(m) as ms
        from buyers
    ) q
),
scored as (
    select b.*, 5 - (select count(*) from unnest(c.r) v where v < b.r) as r_score,
        1 + (select count(*) from unnest(c.f) v where v < b.f) as f_score,
        1 + (select count(*) from unnest(c.m) v where v < b.m) as m_score,
        concat((b.r * n <= rs)::int, (b.f * n > fs)::int, (b.m * n > ms)::int) as rfm_bits
    from buyers b cross join cuts c
),
placed as (
    select *, (%(board)s::text[])[(r_score - 1) * 5 + f_score] as place from scored
)
select f.id, {columns}
from (
    select f.*, f.window_revenue_minor as revenue_365_minor, false as ever_paid,
        case when active_days >= 4 then 'personal' else 'default' end as limit_kind,
        case when activity = 'slipping' then round(greatest(window_revenue_minor, 0) * 90 * coalesce(c.spells - c.backs, 1)
            / (known * coalesce(c.spells, 1))) end as value_at_risk_minor,
        case when activity = 'dormant' and ever_habit then 'churned'
            when ever_habit and recommendations >= 1 and subsidy_dependent is not true then 'advocate'
            when habit_days >= %(habit_days)s then 'habit' when core_days > 0 then 'use' else 'contact' end as stage,
        p.f as f_orders, p.m as m_minor, r_score, f_score, m_score, rfm_bits,
        case when place in ('new', 'promising') and p.first_order_on <= %(day)s::date - %(year)s then 'returned'
            else place end as rfm_group
    from flags f
    left join curve c on c.idle = least(f.idle, 180)
    left join placed p on p.id = f.id
) f
