-- Who reached a rung of the recall ladder since the night told before: so many days away, and no less than their own
-- slipping point. Parameters: workspace, day, rungs (days), slipping_percent. Index: none, everybody's standing is read.
-- Not the ORM: all rungs in one reading. After a missed night the rungs of both days are told together.
with told as materialized (
    select coalesce(max(day), %(day)s::date - 1) as before
    from day_count where workspace_id = %(workspace)s and board = 'stage' and day < %(day)s
)
select
    %(workspace)s::uuid as workspace_id, s.end_user_id, s.idle_from, n.days::smallint as rung, %(day)s::date as day
from standing s
cross join told t
join unnest(%(rungs)s::integer[]) as n (days) on s.idle_from + n.days > t.before and s.idle_from + n.days <= %(day)s
where s.workspace_id = %(workspace)s and s.limit_days * %(slipping_percent)s <= n.days * 100
    -- Most are on no rung: they go before they are held against each of them.
    and s.idle_from = any(array(
        select %(day)s::date - behind - days
        from unnest(%(rungs)s::integer[]) as r (days), generate_series(0, %(day)s::date - (select before from told) - 1) as g (behind)
    ))
