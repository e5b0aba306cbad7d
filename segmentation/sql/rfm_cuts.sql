-- The cut points and means of a day: 20/40/60/80 %% quantiles (type 7) of the population, unless fixed ones are given.
-- Parameters: workspace, day, r_fixed, f_fixed, m_fixed (four numbers or null); axes (keys of facts, kept
-- with the cut points). Reads the temporary table
-- fresh_population; no row when nobody is in it. Not the ORM: ordered-set aggregates. Values are whole numbers, so true
-- quantiles are multiples of 0.2, and rounding takes away what binary fractions added.
with quantile as (
    select
        count(*)::integer as population,
        percentile_cont(array[0.2, 0.4, 0.6, 0.8]) within group (order by r) as r,
        percentile_cont(array[0.2, 0.4, 0.6, 0.8]) within group (order by f) as f,
        percentile_cont(array[0.2, 0.4, 0.6, 0.8]) within group (order by m) as m,
        jsonb_build_object('r', round(avg(r), 4), 'f', round(avg(f), 4), 'm', round(avg(m), 4)) as means
    from fresh_population
)
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    population,
    jsonb_build_object(
        'r', coalesce(to_jsonb(%(r_fixed)s::numeric[]), (select jsonb_agg(trim_scale(round(v::numeric, 1)) order by v) from unnest(r) v)),
        'f', coalesce(to_jsonb(%(f_fixed)s::numeric[]), (select jsonb_agg(trim_scale(round(v::numeric, 1)) order by v) from unnest(f) v)),
        'm', coalesce(to_jsonb(%(m_fixed)s::numeric[]), (select jsonb_agg(trim_scale(round(v::numeric, 1)) order by v) from unnest(m) v))
    ) as cuts,
    means,
    to_jsonb(%(axes)s::text[]) as axes
from quantile
where population > 0
