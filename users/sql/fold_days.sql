-- The person-days of the people in `taken`, computed afresh from all their events.
-- Parameters: workspace, zone. Index: the event table's key, which begins with the person.
-- Not the ORM: one pass of ordered aggregates over raw events.
-- A refund is always passive. No core event mapped: each visit is a core action. No habit event mapped: the core action.
-- Lists are in order of time; of categories at one instant the smallest comes last, because the last one wins a tie.
with mapped as (
    select coalesce(bool_or(is_core), false) as core, coalesce(bool_or(is_habit), false) as habit
    from event_name where workspace_id = %(workspace)s
),
role as (
    select n.id, n.name, n.is_core, n.is_habit, not (n.is_passive or n.is_refund) as visit, m.core as core_mapped, m.habit as habit_mapped
    from event_name n cross join mapped m where n.workspace_id = %(workspace)s
),
done as (
    select
        e.end_user_id, e.at, e.message_id, e.at at time zone %(zone)s as local, r.visit,
        case when r.core_mapped then r.is_core else r.visit end as core,
        case when r.habit_mapped then r.is_habit when r.core_mapped then r.is_core else r.visit end as habit,
        r.name = 'Account Registered' as registered,
        case when r.visit and jsonb_typeof(e.properties -> 'category') in ('string', 'number')
            then nullif(left(e.properties ->> 'category', 200), '') end as category,
        case when r.visit and jsonb_typeof(e.properties -> 'app_version') in ('string', 'number')
            then nullif(left(e.properties ->> 'app_version', 50), '') end as app_version,
        case when r.name = 'Referral Accepted' and jsonb_typeof(e.properties -> 'referred_by') in ('string', 'number')
            then nullif(left(e.properties ->> 'referred_by', 255), '') end as referred_by
    from taken t
    join event e on e.end_user_id = t.end_user_id and e.workspace_id = %(workspace)s
    join role r on r.id = e.name_id
)
select
    %(workspace)s::uuid as workspace_id,
    end_user_id,
    local::date as day,
    (count(*) filter (where visit))::integer as visits,
    (count(*) filter (where core))::integer as core,
    (count(*) filter (where habit))::integer as habit,
    min(at) filter (where visit) as first_at,
    max(at) filter (where visit) as last_at,
    coalesce(array_agg(extract(hour from local)::smallint order by at) filter (where visit), '{}') as hours,
    coalesce(array_agg(category order by at, category collate "C" desc) filter (where category is not null), '{}') as categories,
    coalesce((array_agg(app_version order by at desc, message_id collate "C" desc) filter (where app_version is not null))[1], '')
        as app_version,
    bool_or(registered) as registered,
    coalesce((array_agg(referred_by order by at, message_id collate "C") filter (where referred_by is not null))[1], '') as referred_by
from done
group by end_user_id, local::date
