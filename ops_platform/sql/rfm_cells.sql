-- People and their spend in the window, per cell of the board.
-- Parameters: workspace. Index: rfm_score_workspace. Not the ORM: no relation between scores and facts.
select r.r_score, r.f_score, count(*)::integer as people, bounded(coalesce(sum(f.window_revenue_minor), 0)) as money_minor
from rfm_score r
left join facts f on f.end_user_id = r.end_user_id and f.workspace_id = %(workspace)s
where r.workspace_id = %(workspace)s
group by r.r_score, r.f_score
