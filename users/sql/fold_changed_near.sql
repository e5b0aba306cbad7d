-- As fold_changed, for people whose events only came: of the days in the temporary table `fold_seen` those whose events are
-- not those that the stored person-day was folded from. No other event of theirs is read.
-- Parameters: workspace, zone, sealed, first, last (the keys between which all events of those days lie).
-- Index: the event table's key, of the months in question. Not the ORM: see fold_changed.
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
person as (
    select end_user_id, min(first_key) as first_key, max(last_key) as last_key from fold_seen group by end_user_id
),
found as (
    select
        t.end_user_id,
        (e.at at time zone %(zone)s)::date as day,
        bit_xor(uuid_hash_extended(e.event_id, r.meaning)) # count(*) as digest,
        min(e.client_at) as first_key,
        max(e.client_at) as last_key
    from person t
    cross join lateral (
        select event_id, at, client_at, name_id
        from event
        where end_user_id = t.end_user_id and workspace_id = %(workspace)s
            and client_at between t.first_key and t.last_key and client_at between %(first)s and %(last)s
        offset 0
    ) e
    join role r on r.id = e.name_id
    group by t.end_user_id, (e.at at time zone %(zone)s)::date
)
select end_user_id, f.day, f.digest, f.first_key, f.last_key
from found f
join fold_seen s using (end_user_id, day)
where f.digest is distinct from s.digest and (not s.folded or f.day >= coalesce(%(sealed)s::date, '-infinity'))
