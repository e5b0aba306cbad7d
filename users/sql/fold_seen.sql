-- The days on which events of the people in `taken` came between two keys, and the keys that all events of those days lie
-- between: a day that was folded before tells its own; '-infinity' and 'infinity' where it does not.
-- Parameters: workspace, zone, first, last. Index: the event table's key, of the months in question.
-- Not the ORM: two look-ups per person, by person, whatever the planner believes about the size of the workspace.
select
    s.end_user_id, s.day,
    case when p.day is null then s.first_key else least(s.first_key, coalesce(p.first_key, '-infinity')) end as first_key,
    case when p.day is null then s.last_key else greatest(s.last_key, coalesce(p.last_key, 'infinity')) end as last_key,
    p.day is not null as folded, p.digest
from (
    select
        t.end_user_id, (e.at at time zone %(zone)s)::date as day, min(e.client_at) as first_key, max(e.client_at) as last_key
    from taken t
    cross join lateral (
        select at, client_at
        from event
        where end_user_id = t.end_user_id and workspace_id = (select %(workspace)s::uuid) and client_at between %(first)s and %(last)s
        offset 0
    ) e
    group by t.end_user_id, (e.at at time zone %(zone)s)::date
) s
left join lateral (
    select day, digest, first_key, last_key
    from person_day
    where end_user_id = s.end_user_id and workspace_id = (select %(workspace)s::uuid) and day = s.day
    offset 0
) p on true
