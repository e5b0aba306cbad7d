-- What people did, event by event: local day and hour, roles, and the few properties that the fold keeps.
-- Parameters: workspace, zone, first and last (the keys between which those events lie); the hole `code` takes whose events
-- are read: the keys theirs lie between, and the days in question, or nulls for all. Index: the event table's key.
-- Not the ORM: kept as a temporary table that the other fold files group. `offset 0` keeps the planner on the keys, person
-- by person, whatever it believes about the size of the workspace; and the local time is found once.
-- A refund is always passive. No core event mapped: each visit is a core action. No habit event mapped: the core action.
-- `mix` is what an event gives to the digest of its day: its id, with what its name means and the zone.
with mapped as (
    select coalesce(bool_or(is_core), false) as core, coalesce(bool_or(is_habit), false) as habit
    from event_name where workspace_id = %(workspace)s
),
role as materialized (
    select
        n.id, v.visit, c.core, n.name = 'Account Registered' as registered, n.name = 'Referral Accepted' as referral,
        case when m.habit then n.is_habit else c.core end as habit,
        nullif(array_remove(array[
            case when n.is_order then 'order' end, case when n.is_refund then 'refund' end, case when n.is_pay then 'pay' end
        ], null), '{}') as kinds,
        hashtextextended(concat_ws(
            ',', %(zone)s, n.name, n.is_core, n.is_habit, n.is_order, n.is_refund, n.is_pay, n.is_passive, m.core, m.habit
        ), 0) as meaning
    from event_name n
    cross join mapped m
    cross join lateral (select not (n.is_passive or n.is_refund) as visit) v
    cross join lateral (select case when m.core then n.is_core else v.visit end as core) c
    where n.workspace_id = %(workspace)s
)
select
    e.end_user_id,
    e.local::date as day,
    e.at,
    e.client_at,
    e.event_id,
    uuid_hash_extended(e.event_id, r.meaning) as mix,
    extract(hour from e.local)::smallint as hour,
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
        then nullif(left(e.properties ->> 'referred_by', 255), '') end as referred_by,
    r.kinds,
    case when r.kinds is not null then e.order_id end as order_id,
    case when r.kinds is not null then e.amount_minor end as amount_minor,
    case when r.kinds is not null and jsonb_typeof(e.properties -> 'coupon_id') in ('string', 'number')
        then nullif(e.properties ->> 'coupon_id', '') end as coupon_id,
    case when r.kinds is not null and jsonb_typeof(e.properties -> 'coupon_kind') in ('string', 'number')
        then nullif(e.properties ->> 'coupon_kind', '') end as coupon_kind
from ({code}) p
cross join lateral (
    select
        end_user_id, event_id, at, client_at, message_id, name_id, properties, order_id, amount_minor,
        at at time zone %(zone)s as local
    from event
    where end_user_id = p.end_user_id and workspace_id = (select %(workspace)s::uuid)
        and client_at between p.first_key and p.last_key and client_at between %(first)s and %(last)s
    offset 0
) e
join role r on r.id = e.name_id
where p.days is null or e.local::date = any(p.days)
