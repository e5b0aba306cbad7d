-- People per activity flag, with the value at risk, and per stage, with what they spent in the last 365 days.
-- Parameters: workspace, day, activities, stages. Index: none, all standings are read, once for both boards.
-- Not the ORM: also tells the flags and stages that nobody is in.
with alike as (
    select s.activity, s.stage, count(*) as people, sum(s.value_at_risk_minor) as at_risk, sum(f.revenue_365_minor) as spent
    from standing s
    left join facts f on f.end_user_id = s.end_user_id and f.workspace_id = %(workspace)s and f.revenue_365_minor <> 0
    where s.workspace_id = %(workspace)s
    group by s.activity, s.stage
),
counted as (
    select
        case when grouping(activity) = 0 then 'activity' else 'stage' end as board,
        coalesce(activity, stage) as key,
        sum(people) as people,
        case when grouping(activity) = 0 then sum(at_risk) else sum(spent) end as money
    from alike
    group by grouping sets ((activity), (stage))
)
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    board,
    key,
    coalesce(n.people, 0)::integer as people,
    bounded(coalesce(n.money, 0)) as money_minor
from (
    select 'activity' as board, unnest(%(activities)s::text[]) as key
    union all
    select 'stage', unnest(%(stages)s::text[])
) k
left join counted n using (board, key)
