-- The latest 31 active days of everybody with a fresh one, and of the gaps between them the median and the 90th percentile
-- (type 7). Parameters: workspace. Reads the temporary tables fact_history and fact_before.
-- Not the ORM: windows and ordered-set aggregates. Gaps are whole days, so the true values are
-- multiples of 0.1, and rounding takes away what binary fractions added.
with fresh as (
    select end_user_id, day from fact_history where fresh and visits > 0
),
known as (
    select end_user_id, day from fresh
    union all
    select end_user_id, unnest(recent_days) from fact_before where end_user_id in (select end_user_id from fresh)
),
placed as (
    select end_user_id, day, row_number() over (partition by end_user_id order by day desc) as place from known
),
gap as (
    select end_user_id, day, day - lag(day) over (partition by end_user_id order by day) as gap
    from placed where place <= 31
)
select
    end_user_id, %(workspace)s::uuid as workspace_id,
    array_agg(day order by day) as recent_days,
    round((percentile_cont(0.5) within group (order by gap))::numeric, 2) as gap_median,
    round((percentile_cont(0.9) within group (order by gap))::numeric, 2) as gap_p90
from gap
group by end_user_id
