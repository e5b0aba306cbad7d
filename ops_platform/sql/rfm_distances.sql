-- How many people are how many points away from the target group or class, and what they spent in the window.
-- Parameters: workspace. {points} is the distance as an expression over a score r (segmentation/rfm_gap.py).
-- Index: rfm_score_workspace. Not the ORM: a distance is no column.
select
    ({points}) as points,
    count(*)::integer as people,
    bounded(coalesce(sum(f.window_revenue_minor), 0)) as money_minor
from rfm_score r
left join facts f on f.end_user_id = r.end_user_id and f.workspace_id = %(workspace)s
where r.workspace_id = %(workspace)s
group by 1
order by 1
