-- The days of the people in `taken` whose events are not those that the stored person-day was folded from: new days,
-- changed ones, and ones that are gone (digest null).
-- Of days before `sealed` events may have been deleted: there only days are folded that never were.
-- Parameters: workspace, zone, sealed. Index: the event table's key, which begins with the person.
-- Not the ORM: one pass over all their events, without looking into them. `offset 0` keeps the planner on the keys, person
-- by person, whatever it believes about the size of the workspace.
-- The digest of a day is over the ids of its events, each mixed with what its name means and the zone, and their number.
-- Events are never rewritten, so equal digests mean equal days; whoever rewrites them sets the digests to null.
with mapped as (
    select coalesce(bool_or(is_core), false) as core, coalesce(bool_or(is_habit), false) as habit
    from event_name where workspace_id = %(workspace)s
),
role as materialized (
    select n.id, hashtextextended(concat_ws(
        ',', %(zone)s, n.name, n.is_core, n.is_habit, n.is_order, n.is_refund, n.is_pay, n.is_passive, m.core, m.habit
    ), 0) as meaning
    from event_name n cross join mapped m where n.workspace_id = %(workspace)s
),
found as (
    select
        t.end_user_id,
        (e.at at time zone %(zone)s)::date as day,
        bit_xor(uuid_hash_extended(e.event_id, r.meaning)) # count(*) as digest,
        min(e.client_at) as first_key,
        max(e.client_at) as last_key
    from taken t
    cross join lateral (
        select event_id, at, client_at, name_id
        from event
        where end_user_id = t.end_user_id and workspace_id = %(workspace)s
        offset 0
    ) e
    join role r on r.id = e.name_id
    group by t.end_user_id, (e.at at time zone %(zone)s)::date
),
stored as (
    select p.end_user_id, p.day, p.digest, true as folded
    from taken t
    cross join lateral (
        select end_user_id, day, digest
        from person_day
        where end_user_id = t.end_user_id and workspace_id = %(workspace)s
        offset 0
    ) p
)
-- Between the first and the last of these keys lie the events to read again, mostly in one month of the table.
select end_user_id, day, f.digest, f.first_key, f.last_key
from found f
full join stored s using (end_user_id, day)
where (f.digest is distinct from s.digest or f.digest is null)
    and (s.folded is null or day >= coalesce(%(sealed)s::date, '-infinity'))
