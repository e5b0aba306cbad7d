-- Scores, group and value class of the population of a day, and what is spent, for the counts.
-- Parameters: workspace, day, window (days, null = all), by_scores (bits against mean scores instead of mean values);
-- r_day, f_day, m_day: whether the axis is a day, of which little is good, as it is scored by how long ago it is.
-- board (groups by R score and F score: 11, 12 … 55), classes (000, 001 … 111).
-- Reads the temporary tables fresh_population and fresh_cuts. Index: none, all of them are read.
-- Not the ORM: everybody against the whole. A score is one plus the cut points strictly below the value, for a day five
-- minus those. Values are whole numbers, which are above a cut point, or a mean, where they are above its floor.
with cut as materialized (
    select
        array(select floor(v::numeric)::bigint from jsonb_array_elements(cuts -> 'r') v) as r,
        array(select floor(v::numeric)::bigint from jsonb_array_elements(cuts -> 'f') v) as f,
        array(select floor(v::numeric)::bigint from jsonb_array_elements(cuts -> 'm') v) as m
    from fresh_cuts
),
below as (
    select
        p.*,
        (p.r > c.r[1])::integer + (p.r > c.r[2])::integer
            + (p.r > c.r[3])::integer + (p.r > c.r[4])::integer as r_below,
        (p.f > c.f[1])::integer + (p.f > c.f[2])::integer
            + (p.f > c.f[3])::integer + (p.f > c.f[4])::integer as f_below,
        (p.m > c.m[1])::integer + (p.m > c.m[2])::integer
            + (p.m > c.m[3])::integer + (p.m > c.m[4])::integer as m_below
    from fresh_population p
    cross join cut c
),
scored as (
    select
        b.*,
        case when %(r_day)s then 5 - r_below else 1 + r_below end as r_score,
        case when %(f_day)s then 5 - f_below else 1 + f_below end as f_score,
        case when %(m_day)s then 5 - m_below else 1 + m_below end as m_score
    from below b
),
whole as (
    select
        count(*) as n, sum(r)::numeric as r, sum(f)::numeric as f, sum(m)::numeric as m,
        sum(r_score) as r_score, sum(f_score) as f_score, sum(m_score) as m_score
    from scored
),
mean as materialized (
    select
        n, r_score, f_score, m_score,
        (div(r, n) - (mod(r, n) < 0)::integer)::bigint as r, (div(f, n) - (mod(f, n) < 0)::integer)::bigint as f,
        (div(m, n) - (mod(m, n) < 0)::integer)::bigint as m
    from whole where n > 0
),
judged as (
    select
        s.*,
        (%(board)s::text[])[s.r_score * 5 + s.f_score - 5] as place,
        case
            when %(by_scores)s then case when %(r_day)s then s.r_score * w.n >= w.r_score else s.r_score * w.n > w.r_score end
            else case when %(r_day)s then s.r <= w.r else s.r > w.r end
        end as r_high,
        case
            when %(by_scores)s then case when %(f_day)s then s.f_score * w.n >= w.f_score else s.f_score * w.n > w.f_score end
            else case when %(f_day)s then s.f <= w.f else s.f > w.f end
        end as f_high,
        case
            when %(by_scores)s then case when %(m_day)s then s.m_score * w.n >= w.m_score else s.m_score * w.n > w.m_score end
            else case when %(m_day)s then s.m <= w.m else s.m > w.m end
        end as m_high
    from scored s
    cross join mean w
)
select
    %(workspace)s::uuid as workspace_id, end_user_id, r_value, f_value, m_value, money_minor,
    r_score::smallint as r_score, f_score::smallint as f_score, m_score::smallint as m_score,
    case
        when place in ('new', 'promising') and begun_on <= %(day)s::date - %(window)s::integer then 'returned'
        else place
    end as rfm_group,
    (%(classes)s::text[])[r_high::integer * 4 + f_high::integer * 2 + m_high::integer + 1] as rfm_bits
from judged
