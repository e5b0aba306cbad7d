-- People per stage on a day, and what they spent in the last 365 days.
-- Parameters: workspace, day, keys. Index: standing_stage. Not the ORM: also tells the stages that nobody is in.
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    'stage' as board,
    k.key,
    count(s.end_user_id)::integer as people,
    coalesce(sum(f.revenue_365_minor), 0)::bigint as money_minor
from unnest(%(keys)s::text[]) as k (key)
left join standing s on s.workspace_id = %(workspace)s and s.stage = k.key
left join facts f on f.end_user_id = s.end_user_id and f.workspace_id = %(workspace)s
group by k.key
