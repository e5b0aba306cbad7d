-- Median and 90th percentile (type 7) of the last 30 gaps between active days of each stale person, as of a day.
-- Parameters: workspace, day. Reads the temporary table fact_stale. Index: the key of person_day.
-- A join, not a LATERAL per person: in the first night the planner knows nothing of person_day yet, and guesses wrong.
-- Not the ORM: windows and ordered-set aggregates. Gaps are whole days, so the true values are
-- multiples of 0.1, and rounding takes away what binary fractions added.
select
    end_user_id,
    round((percentile_cont(0.5) within group (order by gap))::numeric, 2) as gap_median,
    round((percentile_cont(0.9) within group (order by gap))::numeric, 2) as gap_p90
from (
    select
        p.end_user_id,
        p.day - lag(p.day) over (partition by p.end_user_id order by p.day) as gap,
        row_number() over (partition by p.end_user_id order by p.day desc) as place
    from fact_stale s
    join person_day p on p.workspace_id = %(workspace)s and p.end_user_id = s.end_user_id
    where p.day <= %(day)s and p.visits > 0
) g
where gap is not null and place <= 30
group by end_user_id
