-- Median and 90th percentile (type 7) of the last 30 gaps between active days of each stale person, as of a day.
-- Parameters: workspace, day. Reads the temporary table fact_stale. Index: the key of person_day, read from its end.
-- Not the ORM: the last rows per person, windows and ordered-set aggregates. Gaps are whole days, so the true values are
-- multiples of 0.1, and rounding takes away what binary fractions added.
select
    end_user_id,
    round((percentile_cont(0.5) within group (order by gap))::numeric, 2) as gap_median,
    round((percentile_cont(0.9) within group (order by gap))::numeric, 2) as gap_p90
from (
    select s.end_user_id, d.day - lag(d.day) over (partition by s.end_user_id order by d.day) as gap
    from fact_stale s
    cross join lateral (
        select p.day
        from person_day p
        where p.workspace_id = %(workspace)s and p.end_user_id = s.end_user_id and p.day <= %(day)s and p.visits > 0
        order by p.day desc
        limit 31
    ) d
) g
where gap is not null
group by end_user_id
