-- People and value at risk per activity flag on a day.
-- Parameters: workspace, day, keys. Reads the temporary table fresh_flags. Not the ORM: also tells the flags that nobody has.
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    'activity' as board,
    k.key,
    count(n.end_user_id)::integer as people,
    coalesce(sum(n.value_at_risk_minor), 0)::bigint as money_minor
from unnest(%(keys)s::text[]) as k (key)
left join fresh_flags n on n.activity = k.key
group by k.key
