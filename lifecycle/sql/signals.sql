-- The warning signals that hold for somebody on a day, of those switched on.
-- Parameters: workspace, day, zone, on (keys of lifecycle/signals.py). Index: person_day_by_day, brin on the time of events,
-- the keys of purchase, person_day and balance_mark. Not the ORM: four sets in one. What is off is not read at all.
with halved as (
    select p.end_user_id
    from (
        select end_user_id, count(*) as days
        from person_day
        where workspace_id = %(workspace)s and day between %(day)s::date - 59 and %(day)s::date - 30 and visits > 0
            and 'halved' = any(%(on)s::text[])
        group by end_user_id
        having count(*) >= 4
    ) p
    join facts f on f.end_user_id = p.end_user_id and f.workspace_id = %(workspace)s
    where f.active_days_30 * 2 <= p.days
),
span as (
    select
        (%(day)s::date - 29)::timestamp at time zone %(zone)s as start,
        (%(day)s::date + 1)::timestamp at time zone %(zone)s as stop
),
told as materialized (
    select e.end_user_id, n.name, e.at, coalesce(e.properties ->> 'ticket_id', '') as ticket
    from event_name n
    join event e on e.workspace_id = %(workspace)s and e.name_id = n.id
    cross join span
    where n.workspace_id = %(workspace)s and e.at >= span.start and e.at < span.stop
        and (('complaint' = any(%(on)s::text[]) and n.name in ('Ticket Opened', 'Ticket Resolved'))
            or ('failed' = any(%(on)s::text[]) and n.name in ('Payment Failed', 'App Crashed')))
        and %(on)s::text[] && array['complaint', 'failed']
),
complaint as (
    select o.end_user_id
    from told o
    cross join span
    where o.name = 'Ticket Opened' and o.at < span.stop - interval '48 hours'
        and not exists (
            select from told r
            where r.end_user_id = o.end_user_id and r.name = 'Ticket Resolved' and r.ticket = o.ticket and r.at >= o.at
        )
),
failure as (
    select end_user_id, name, max(at) as at
    from told where name in ('Payment Failed', 'App Crashed')
    group by end_user_id, name
),
failed as (
    select f.end_user_id
    from failure f
    cross join span
    where case
        when f.name = 'Payment Failed' then not exists (
            select from purchase p
            where p.end_user_id = f.end_user_id and p.workspace_id = %(workspace)s and p.kind in ('order', 'pay')
                and p.at > f.at and p.at < span.stop
        )
        else not exists (
            select from person_day d
            where d.end_user_id = f.end_user_id and d.workspace_id = %(workspace)s and d.last_at > f.at and d.day <= %(day)s
        )
    end
),
balance as (
    select distinct on (b.end_user_id) b.end_user_id, b.balance, n.balance as present
    from balance_mark b
    join (
        select distinct on (end_user_id) end_user_id, balance
        from balance_mark
        where workspace_id = %(workspace)s and day <= %(day)s and 'balance' = any(%(on)s::text[])
        order by end_user_id, day desc
    ) n on n.end_user_id = b.end_user_id
    where b.workspace_id = %(workspace)s and b.day <= %(day)s::date - 30 and 'balance' = any(%(on)s::text[])
    order by b.end_user_id, b.day desc
)
select h.end_user_id, array_agg(distinct h.signal order by h.signal)::varchar[] as signals
from (
    select end_user_id, 'halved' as signal from halved
    union all select end_user_id, 'complaint' from complaint
    union all select end_user_id, 'failed' from failed
    union all select end_user_id, 'balance' from balance where balance > 0 and present * 2 <= balance
) h
group by h.end_user_id
