-- The changed person-days, computed afresh from all their events.
-- Parameters: workspace. Reads the temporary tables fold_events and fold_changed. Not the ORM: ordered aggregates.
-- Lists are in order of time; of categories at one instant the smallest comes last, because the last one wins a tie. All
-- lists share one order, which is sorted once.
with version as (
    select distinct on (end_user_id, day) end_user_id, day, app_version
    from fold_events where app_version is not null
    order by end_user_id, day, at desc, message_id collate "C" desc
),
referral as (
    select distinct on (end_user_id, day) end_user_id, day, referred_by
    from fold_events where referred_by is not null
    order by end_user_id, day, at, message_id collate "C"
),
grouped as (
    select
        end_user_id,
        day,
        (count(*) filter (where visit))::integer as visits,
        (count(*) filter (where core))::integer as core,
        (count(*) filter (where habit))::integer as habit,
        min(at) filter (where visit) as first_at,
        max(at) filter (where visit) as last_at,
        coalesce(array_agg(hour order by at, category collate "C" desc) filter (where visit), '{}') as hours,
        coalesce(array_agg(category order by at, category collate "C" desc) filter (where category is not null), '{}') as categories,
        bool_or(registered) as registered
    from fold_events
    group by end_user_id, day
)
select
    %(workspace)s::uuid as workspace_id,
    g.*,
    c.digest,
    c.first_key,
    c.last_key,
    coalesce(v.app_version, '') as app_version,
    coalesce(r.referred_by, '') as referred_by
from grouped g
join fold_changed c using (end_user_id, day)
left join version v using (end_user_id, day)
left join referral r using (end_user_id, day)
