-- People who are away for exactly N days, per rung of the recall ladder; a rung below their slipping point is skipped.
-- Parameters: workspace, day, rungs (days), slipping_share. Index: standing_stage. Not the ORM: one scan for all rungs.
select n.days, count(s.end_user_id)::integer as people
from unnest(%(rungs)s::integer[]) as n (days)
left join standing s
    on s.workspace_id = %(workspace)s and s.idle_from = %(day)s::date - n.days and s.limit_days * %(slipping_share)s <= n.days
group by n.days
order by n.days
