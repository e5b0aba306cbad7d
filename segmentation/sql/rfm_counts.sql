-- People and their spend in the window per RFM group on a day.
-- Parameters: workspace, day, groups. Reads the temporary tables fresh_rfm and fresh_population.
-- Not the ORM: also tells the empty groups.
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    'rfm' as board,
    g.key,
    count(n.end_user_id)::integer as people,
    bounded(coalesce(sum(p.money_minor), 0)) as money_minor
from unnest(%(groups)s::text[]) as g (key)
left join fresh_rfm n on n.rfm_group = g.key
left join fresh_population p on p.end_user_id = n.end_user_id
group by g.key
