-- People per stage on a day, and what they spent in the last 365 days.
-- Parameters: workspace, day, keys. Index: none, all standings are read. Not the ORM: also tells the stages that nobody is in.
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    'stage' as board,
    k.key,
    coalesce(n.people, 0)::integer as people,
    bounded(coalesce(n.money, 0)) as money_minor
from unnest(%(keys)s::text[]) as k (key)
left join (
    select s.stage, count(*) as people, sum(f.revenue_365_minor) as money
    from standing s
    left join facts f on f.end_user_id = s.end_user_id and f.workspace_id = %(workspace)s and f.revenue_365_minor <> 0
    where s.workspace_id = %(workspace)s
    group by s.stage
) n on n.stage = k.key
