-- How many people went from where to where on a day: between stages, activity flags and RFM groups.
-- Parameters: workspace, day. Index: stage_change_day, activity_change_day, rfm_change_day.
-- Not the ORM: three tables of the same shape counted as one.
select
    %(workspace)s::uuid as workspace_id, %(day)s::date as day, c.board, c.from_key, c.to_key, count(*)::integer as people
from (
    select 'stage' as board, from_stage as from_key, to_stage as to_key
    from stage_change where workspace_id = %(workspace)s and day = %(day)s
    union all
    select 'activity', from_activity, to_activity
    from activity_change where workspace_id = %(workspace)s and day = %(day)s
    union all
    select 'rfm', from_group, to_group
    from rfm_change where workspace_id = %(workspace)s and day = %(day)s
) c
group by c.board, c.from_key, c.to_key
