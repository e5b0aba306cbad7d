-- A night by DuckDB: everything anew from the events in Parquet. Parameters: folder, day, windows, columns, board, and
-- the settings of benchmarks/columns.py. Favourites: how often and how late in one number, whose lower digits tell the value.
create temp table people as from read_parquet('$folder/people.parquet');
create temp table counted as
    select person, id, (created_at + interval $ZONE_HOURS hours)::date as created_on, nullif(referred_by, '') as inviter,
        try_cast(left(registered, 10) as date) as told_on
    from people where identified and not excluded and owner = person;
create temp view raw as
    select c.person, e.name, e."at" as moment, e."at" + interval $ZONE_HOURS hours as local, local::date as day,
        e.message_id, e.properties, e.amount_minor, e.order_id, e.name not in $PASSIVE as visit
    from read_parquet('$folder/events-*.parquet') e
    join people p on p.person = e.person
    join counted c on c.person = p.owner
    where day <= date '$day';
-- What most of the rest needs, read once: each text is parsed a single time.
create temp table deed as
    select person, name, moment, day, hour(local)::utinyint as hour, visit, said[1] as category,
        nullif(said[2], '') as app_version, case when app_version is not null then message_id end as message_id
    from (select *, case when visit then json_extract_string(properties, ['/category', '/app_version']) end as said from raw);

create temp table days as
    select person, day, count(*) filter (visit) as visits, count(*) filter (name = '$ORDER') as core
    from deed group by person, day;
create temp table hours as
    select person, arg_max(hour, times * 100000000 + latest) as favourite_hour
    from (
        select person, hour, count(*) as times, max((day - date '1970-01-01') * 24 + hour) as latest
        from deed where visit group by person, hour
    ) group by person;
create temp table weekdays as
    select person, arg_max(weekday, times * 100000000 + latest) as favourite_weekday
    from (
        select person, isodow(day) - 1 as weekday, sum(visits)::bigint as times, max(day - date '1970-01-01') as latest
        from days where visits > 0 group by person, weekday
    ) group by person;
create temp table categories as
    select person, first(category order by times desc, latest desc, category) as favourite_category
    from (
        select person, category, count(*) as times, max(moment) as latest
        from deed where category is not null group by person, category
    ) group by person;
create temp table versions as
    select person, arg_max(app_version, {'moment': moment, 'id': message_id}) as app_version
    from deed where app_version is not null group by person;
create temp table firsts as
    select person, min(day) filter (name = '$REGISTERED') as registered_on,
        arg_min(json_extract_string(properties, '/referred_by'), {'moment': moment, 'id': message_id})
            filter (name = '$REFERRED') as inviter
    from raw where name in ('$REGISTERED', '$REFERRED') group by person;

create temp table seen as
    select person, min(day) as first_day, min(day) filter (visits > 0) as first_seen_on,
        max(day) filter (visits > 0) as last_seen_on,
        $windows
        count(*) filter (core > 0) as core_days, min(day) filter (core > 0) as first_core_on,
        max(day) filter (core > 0) as last_core_on,
        count(*) filter (core > 0 and day > date '$day' - $HABIT_WINDOW) as habit_days
    from days group by person;
create temp table habits as
    select distinct person from (
        select person, day - lag(day, $HABIT_DAYS - 1) over (partition by person order by day) as span from days where core > 0
    ) where span < $HABIT_WINDOW;
create temp table gaps as
    select person, day, day - lag(day) over (partition by person order by day) as gap,
        lead(day) over (partition by person order by day) as next
    from days where visits > 0;
create temp table rhythms as
    select person, round(quantile_cont(gap, 0.5), 2)::decimal(8, 2) as gap_median,
        round(quantile_cont(gap, 0.9), 2)::decimal(8, 2) as gap_p90
    from (from gaps where gap is not null qualify row_number() over (partition by person order by day desc) <= 30)
    group by person;

create temp table money as
    select person, name, day, moment, message_id, amount_minor, coalesce(nullif(order_id, ''), 'row:' || message_id) as key,
        coalesce(json_extract_string(properties, '/coupon_id'), '') <> '' as coupon,
        nullif(json_extract_string(properties, '/coupon_kind'), '') as kind
    from raw where name in ('$ORDER', '$REFUND');
create temp table orders as
    select person, key, min(day) as day, arg_max(coalesce(amount_minor, 0), rank) as amount, arg_max(coupon, rank) as coupon,
        arg_max(coalesce(kind = 'targeted', coupon), rank) as targeted
    from (
        select *, {'told': amount_minor is not null, 'moment': moment, 'id': message_id} as rank from money where name = '$ORDER'
    )
    group by person, key;
create temp table refunds as
    select person, key, sum(abs(coalesce(amount_minor, 0))) as taken, count(*) filter (amount_minor is null) as whole
    from money where name = '$REFUND' group by person, key;
create temp table judged as
    select o.*, coalesce(r.taken + r.whole * abs(o.amount) >= o.amount, false) as void
    from orders o left join refunds r using (person, key);
create temp table books as
    with moved as (
        select person, day, amount, 1 as n, coupon, targeted from judged where not void
        union all
        select m.person, m.day, -abs(coalesce(m.amount_minor, o.amount, 0)), 0, false, false
        from money m left join judged o using (person, key) where m.name = '$REFUND' and o.void is not true
    )
    select person, sum(n) as orders, sum(amount) as revenue_minor, min(day) filter (n = 1) as first_order_on,
        max(day) filter (n = 1) as last_order_on, count(*) filter (coupon) as coupons,
        coalesce(sum(n) filter (day > date '$day' - $YEAR), 0) as window_orders,
        coalesce(sum(amount) filter (day > date '$day' - $YEAR), 0) as window_revenue_minor,
        count(*) filter (targeted and day > date '$day' - $YEAR) as year_targeted
    from moved group by person;

create temp table joined as
    select c.person, c.id, c.created_on, s.first_day,
        coalesce(f.registered_on, case when told_on <= date '$day' then told_on end) as registered_on,
        coalesce(f.registered_on, case when told_on <= date '$day' then told_on end, s.first_seen_on) as joined_on,
        coalesce(c.inviter, nullif(f.inviter, '')) as inviter
    from counted c left join seen s using (person) left join firsts f using (person);
create temp table starts as
    select j.person, min(d.day) as core_on, list_sort(list(d.day))[2] as second_on
    from joined j join days d using (person) where d.core > 0 and d.day between j.joined_on and j.joined_on + 30
    group by j.person;
create temp table recommended as
    select o.person, count(*) as recommendations
    from starts s
    join joined j using (person)
    join people p on p.external_id = j.inviter and p.identified
    join counted o on o.person = p.owner and o.person <> j.person
    where s.second_on > date '$day' - $YEAR
    group by o.person;

create temp table facts as
    select j.id, j.created_on, s.* exclude (person, first_day), j.registered_on, h.person is not null as ever_habit,
        coalesce(b.orders, 0) as orders, coalesce(b.revenue_minor, 0) as revenue_minor, b.first_order_on, b.last_order_on,
        coalesce(b.window_orders, 0) as window_orders, coalesce(b.window_revenue_minor, 0) as window_revenue_minor,
        case when b.orders > 0 then
            sign(b.revenue_minor) * ((2 * abs(b.revenue_minor) + b.orders) // (2 * b.orders)) end as average_order_minor,
        case when b.orders > 0 then ((20000 * b.coupons + b.orders) // (2 * b.orders)) / 100 end as coupon_percent,
        case when b.window_orders >= 4 then b.year_targeted * 100 >= b.window_orders * 80 end as subsidy_dependent,
        coalesce(r.recommendations, 0) as recommendations, g.gap_median, g.gap_p90, fh.favourite_hour, fw.favourite_weekday,
        coalesce(fc.favourite_category, '') as favourite_category, coalesce(v.app_version, '') as app_version,
        coalesce(t.core_on - j.registered_on <= 7, false) as effective
    from joined j
    left join seen s using (person) left join habits h using (person) left join books b using (person)
    left join recommended r using (person) left join rhythms g using (person) left join hours fh using (person)
    left join weekdays fw using (person) left join categories fc using (person) left join versions v using (person)
    left join starts t using (person)
    where j.created_on <= date '$day' or j.first_day <= date '$day';

create temp table curve as
    with spell as (
        select least(coalesce(next - day - 1, date '$day' - day), date '$day' - 30 - day, 180) as reached,
            next is not null as back
        from gaps join counted using (person)
    )
    select n as idle, count(*) as spells, count(*) filter (back) as backs
    from spell join range(1, 181) t(n) on reached >= n group by n;
create temp table flags as
    with measured as (
        select id, coalesce(last_seen_on, created_on) as idle_from, greatest(date '$day' - idle_from, 0) as idle,
            coalesce(active_days >= 4, false) as own, last_seen_on is not null as seen,
            (case when own then least(greatest(3 * gap_median, 1.5 * gap_p90, $LIMIT_MIN), $LIMIT_MAX) else $LIMIT_DAYS end)
                ::decimal(8, 2) as limit_days,
            greatest(window_revenue_minor, 0) as spent,
            least(greatest(date '$day' - least(first_seen_on, registered_on, first_order_on, created_on) + 1, 30), 365) as known
        from facts
    )
    select m.id, idle_from, limit_days, if(own, 'personal', 'default') as limit_kind,
        case when seen and m.idle >= limit_days then 'dormant'
            when m.idle * 100 >= limit_days * $SLIPPING_PERCENT then 'slipping' else 'active' end as activity,
        case when activity = 'slipping' then
            (2 * spent::hugeint * 90 * coalesce(spells - backs, 1) + known * coalesce(spells, 1))
                // (2 * known * coalesce(spells, 1)) end as value_at_risk_minor
    from measured m left join curve c on c.idle = least(m.idle, 180);

create temp table buyers as
    select id, date '$day' - last_order_on as r, window_orders as f, window_revenue_minor as m, first_order_on
    from facts where window_orders > 0;
create temp table scored as
    with cuts as (
        select list_transform(quantile_cont(r, [0.2, 0.4, 0.6, 0.8]), lambda v: round(v, 1)) as r,
            list_transform(quantile_cont(f, [0.2, 0.4, 0.6, 0.8]), lambda v: round(v, 1)) as f,
            list_transform(quantile_cont(m, [0.2, 0.4, 0.6, 0.8]), lambda v: round(v, 1)) as m,
            count(*) as n, sum(b.r) as rs, sum(b.f) as fs, sum(b.m) as ms
        from buyers b
    )
    select b.*, 5 - len(list_filter(c.r, lambda v: v < b.r)) as r_score, 1 + len(list_filter(c.f, lambda v: v < b.f)) as f_score,
        1 + len(list_filter(c.m, lambda v: v < b.m)) as m_score,
        concat(if(b.r * n <= rs, '1', '0'), if(b.f * n > fs, '1', '0'), if(b.m * n > ms, '1', '0')) as rfm_bits,
        case r_score * 10 + f_score $BOARD end as place
    from buyers b cross join cuts c;

create temp table answer as
    select f.*, f.window_revenue_minor as revenue_365_minor, false as ever_paid, g.* exclude (id),
        case when activity = 'dormant' and ever_habit then 'churned'
            when ever_habit and recommendations >= 1 and subsidy_dependent is not true then 'advocate'
            when habit_days >= $HABIT_DAYS then 'habit' when core_days > 0 then 'use' else 'contact' end as stage,
        r.f as f_orders, r.m as m_minor, r_score, f_score, m_score, rfm_bits,
        case when place in ('new', 'promising') and r.first_order_on <= date '$day' - $YEAR then 'returned' else place end
            as rfm_group
    from facts f join flags g using (id) left join scored r using (id);
copy (select id, $columns from answer) to '$folder/duckdb.csv' (header false);
