-- People and their spend in the window per RFM group on a day.
-- Parameters: workspace, day, groups. Reads the temporary table fresh_rfm. Index: the key of facts.
-- Not the ORM: also tells the empty groups.
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    'rfm' as board,
    g.key,
    count(n.end_user_id)::integer as people,
    coalesce(sum(w.window_revenue_minor), 0)::bigint as money_minor
from unnest(%(groups)s::text[]) as g (key)
left join fresh_rfm n on n.rfm_group = g.key
left join facts w on w.end_user_id = n.end_user_id and w.workspace_id = %(workspace)s
group by g.key
