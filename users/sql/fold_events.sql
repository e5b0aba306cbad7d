-- What people did on the days in `fold_changed`, event by event: local hour, roles, and the few properties the fold keeps.
-- Parameters: workspace, zone, first and last (the keys between which those events lie). Index: the event table's key, by person.
-- Not the ORM: kept as a temporary table that the two other fold files group.
-- A refund is always passive. No core event mapped: each visit is a core action. No habit event mapped: the core action.
with mapped as (
    select coalesce(bool_or(is_core), false) as core, coalesce(bool_or(is_habit), false) as habit
    from event_name where workspace_id = %(workspace)s
),
role as materialized (
    select
        n.id, v.visit, c.core, n.name = 'Account Registered' as registered, n.name = 'Referral Accepted' as referral,
        case when m.habit then n.is_habit else c.core end as habit
    from event_name n
    cross join mapped m
    cross join lateral (select not (n.is_passive or n.is_refund) as visit) v
    cross join lateral (select case when m.core then n.is_core else v.visit end as core) c
    where n.workspace_id = %(workspace)s
)
select
    e.end_user_id,
    d.day,
    d.digest,
    e.at,
    e.client_at,
    extract(hour from l.local)::smallint as hour,
    e.message_id,
    r.visit,
    r.core,
    r.habit,
    r.registered,
    case when r.visit and jsonb_typeof(e.properties -> 'category') in ('string', 'number')
        then nullif(left(e.properties ->> 'category', 200), '') end as category,
    case when r.visit and jsonb_typeof(e.properties -> 'app_version') in ('string', 'number')
        then nullif(left(e.properties ->> 'app_version', 50), '') end as app_version,
    case when r.referral and jsonb_typeof(e.properties -> 'referred_by') in ('string', 'number')
        then nullif(left(e.properties ->> 'referred_by', 255), '') end as referred_by
from (
    select end_user_id, min(first_key) as first_key, max(last_key) as last_key
    from fold_changed where digest is not null group by end_user_id
) p
cross join lateral (
    select end_user_id, at, client_at, message_id, name_id, properties
    from event
    where end_user_id = p.end_user_id and workspace_id = %(workspace)s
        and client_at between p.first_key and p.last_key and client_at between %(first)s and %(last)s
    offset 0
) e
join fold_changed d on d.end_user_id = e.end_user_id and d.day = (e.at at time zone %(zone)s)::date
join role r on r.id = e.name_id
cross join lateral (select e.at at time zone %(zone)s as local) l
