-- Whose activity flag differs on a day from the last change told before it; from nothing for those who join, to nothing
-- for those who left the numbers.
-- Parameters: workspace, day. Reads the temporary table fresh_flags. Index: the key of activity_change.
-- Of the people in `deciding`. Not the ORM: the latest change per person against today's flags. Changes of the day itself are not looked at, so a
-- second run comes to the same rows.
with before as (
    select d.end_user_id, c.to_activity
    from deciding d
    cross join lateral (
        select to_activity
        from (
            select to_activity, day from activity_change
            where end_user_id = d.end_user_id and workspace_id = (select %(workspace)s::uuid) and day < %(day)s
            offset 0 -- by person: the index by day would be read from its end
        ) b
        order by day desc limit 1
    ) c
)
select
    %(workspace)s::uuid as workspace_id,
    d.end_user_id,
    %(day)s::date as day,
    coalesce(b.to_activity, '') as from_activity,
    coalesce(n.activity, '') as to_activity,
    -- The numbers from which lifecycle.churn.sentence words the reason; none for somebody who left.
    case when n.end_user_id is null then '{}' else jsonb_strip_nulls(jsonb_build_object(
        'seen', n.seen, 'idle', n.idle, 'kind', n.limit_kind,
        'limit', trim_scale(n.limit_days), 'median', trim_scale(n.gap_median),
        'signals', to_jsonb(nullif(n.signals, '{}'))
    )) end as why
from deciding d
left join fresh_flags n on n.end_user_id = d.end_user_id
left join before b on b.end_user_id = d.end_user_id
where coalesce(b.to_activity, '') <> coalesce(n.activity, '')
