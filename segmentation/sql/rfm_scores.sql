-- Scores, group and value class of every buyer on a day.
-- Parameters: workspace, day, window (days, null = all), by_scores (bits against mean scores instead of mean values).
-- The hole `code` takes the board as a CASE over r_score and f_score. Reads the temporary tables fresh_population and fresh_cuts.
-- Not the ORM: everybody against the whole. A score is one plus the cut points strictly below the value, for R five
-- minus those; comparisons with a mean are multiplied out, so nothing is rounded.
with cut as materialized (
    select
        array(select v::numeric from jsonb_array_elements(cuts -> 'r') v) as r,
        array(select v::numeric from jsonb_array_elements(cuts -> 'f') v) as f,
        array(select v::numeric from jsonb_array_elements(cuts -> 'm') v) as m
    from fresh_cuts
),
scored as (
    select
        p.*,
        5 - (
            (p.r_days > c.r[1])::integer + (p.r_days > c.r[2])::integer
            + (p.r_days > c.r[3])::integer + (p.r_days > c.r[4])::integer
        ) as r_score,
        1 + (
            (p.f_orders > c.f[1])::integer + (p.f_orders > c.f[2])::integer
            + (p.f_orders > c.f[3])::integer + (p.f_orders > c.f[4])::integer
        ) as f_score,
        1 + (
            (p.m_minor > c.m[1])::integer + (p.m_minor > c.m[2])::integer
            + (p.m_minor > c.m[3])::integer + (p.m_minor > c.m[4])::integer
        ) as m_score
    from fresh_population p
    cross join cut c
),
whole as (
    select
        count(*) as n, sum(r_days) as r_days, sum(f_orders) as f_orders, sum(m_minor) as m_minor,
        sum(r_score) as r_score, sum(f_score) as f_score, sum(m_score) as m_score
    from scored
),
judged as (
    select
        s.*,
        {code} as place,
        case when %(by_scores)s then s.r_score * w.n >= w.r_score else s.r_days * w.n <= w.r_days end as r_high,
        case when %(by_scores)s then s.f_score * w.n > w.f_score else s.f_orders * w.n > w.f_orders end as f_high,
        case when %(by_scores)s then s.m_score * w.n > w.m_score else s.m_minor::numeric * w.n > w.m_minor end as m_high
    from scored s
    cross join whole w
)
select
    %(workspace)s::uuid as workspace_id,
    end_user_id, last_order_on, f_orders, m_minor,
    r_score::smallint as r_score, f_score::smallint as f_score, m_score::smallint as m_score,
    case
        when place in ('new', 'promising') and first_order_on <= %(day)s::date - %(window)s::integer then 'returned'
        else place
    end as rfm_group,
    r_high::integer::text || f_high::integer::text || m_high::integer::text as rfm_bits
from judged
