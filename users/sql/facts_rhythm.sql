-- Median and 90th percentile (type 7) of each person's last 30 gaps between active days, as of a day.
-- Parameters: workspace, day. Index: the key of person_day, in whose order the windows run.
-- Not the ORM: windows and ordered-set aggregates. Gaps are whole days, so the true values are multiples of 0.1, and
-- rounding takes away what binary fractions added.
select
    end_user_id,
    round((percentile_cont(0.5) within group (order by gap))::numeric, 2) as gap_median,
    round((percentile_cont(0.9) within group (order by gap))::numeric, 2) as gap_p90
from (
    select
        end_user_id,
        day - lag(day) over (partition by end_user_id order by day) as gap,
        row_number() over (partition by end_user_id order by day desc) as back
    from person_day
    where workspace_id = %(workspace)s and day <= %(day)s and visits > 0
) d
where gap is not null and back <= 30
group by end_user_id
