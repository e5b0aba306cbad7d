-- Whose activity flag differs on a day from the last change told before it; from nothing for those who join, to nothing
-- for those who left the numbers.
-- Parameters: workspace, day, going_on; the hole `code` takes MOVED of lifecycle/services.py, which reads the temporary tables
-- deciding and fresh_flags. Index: the key of activity_change. Not the ORM: the latest change per person against today's flags.
select
    %(workspace)s::uuid as workspace_id,
    m.id as end_user_id,
    %(day)s::date as day,
    m.before as from_activity,
    m.now as to_activity,
    -- The numbers from which lifecycle.churn.sentence words the reason; none for somebody who left.
    case when m.now = '' then '{}' else jsonb_strip_nulls(jsonb_build_object(
        'seen', m.seen, 'idle', m.idle, 'kind', m.limit_kind,
        'limit', trim_scale(m.limit_days), 'median', trim_scale(m.gap_median),
        'signals', to_jsonb(nullif(m.signals, '{}'))
    )) end as why
from ({code}) m
where m.before <> m.now
