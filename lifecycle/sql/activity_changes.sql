-- Whose activity flag differs on a day from the last change told before it; from nothing for those who join, to nothing
-- for those who left the numbers.
-- Parameters: workspace, day. Reads the temporary table fresh_flags. Index: the key of activity_change.
-- Not the ORM: the latest change per person against today's flags. Changes of the day itself are not looked at, so a
-- second run comes to the same rows.
with before as (
    select distinct on (end_user_id) end_user_id, to_activity
    from activity_change
    where workspace_id = %(workspace)s and day < %(day)s
    order by end_user_id, day desc
)
select
    %(workspace)s::uuid as workspace_id,
    coalesce(n.end_user_id, b.end_user_id) as end_user_id,
    %(day)s::date as day,
    coalesce(b.to_activity, '') as from_activity,
    coalesce(n.activity, '') as to_activity,
    -- The numbers from which lifecycle.churn.sentence words the reason; none for somebody who left.
    case when n.end_user_id is null then '{}' else jsonb_strip_nulls(jsonb_build_object(
        'seen', n.seen, 'idle', n.idle, 'kind', n.limit_kind,
        'limit', trim_scale(n.limit_days), 'median', trim_scale(n.gap_median),
        'signals', to_jsonb(nullif(n.signals, '{}'))
    )) end as why
from fresh_flags n
full join before b on b.end_user_id = n.end_user_id
where coalesce(b.to_activity, '') <> coalesce(n.activity, '')
