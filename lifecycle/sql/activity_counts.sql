-- People and value at risk per activity flag on a day.
-- Parameters: workspace, day, keys. Index: none, all standings are read. Not the ORM: also tells the flags that nobody has.
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    'activity' as board,
    k.key,
    coalesce(n.people, 0)::integer as people,
    bounded(coalesce(n.money, 0)) as money_minor
from unnest(%(keys)s::text[]) as k (key)
left join (
    select activity, count(*) as people, sum(value_at_risk_minor) as money
    from standing where workspace_id = %(workspace)s group by activity
) n on n.activity = k.key
