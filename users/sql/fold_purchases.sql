-- Orders, refunds and pay events of the days in `fold_changed`, their money read out. One event may be several of these.
-- Parameters: workspace, zone, first and last (the keys between which those events lie). Index: the event table's key, by person.
-- Not the ORM: unfolds roles into rows. Targeted: the kind of coupon says so, or a coupon is there and no kind was sent.
with role as (
    select n.id, k.kind
    from event_name n
    cross join lateral (values ('order', n.is_order), ('refund', n.is_refund), ('pay', n.is_pay)) as k (kind, plays)
    where n.workspace_id = %(workspace)s and k.plays
),
paid as (
    select
        e.end_user_id, d.day, e.at, e.event_id, r.kind, e.message_id, e.order_id, e.amount_minor,
        jsonb_typeof(e.properties -> 'coupon_id') in ('string', 'number') and e.properties ->> 'coupon_id' <> '' as with_coupon,
        case when jsonb_typeof(e.properties -> 'coupon_kind') in ('string', 'number')
            then nullif(e.properties ->> 'coupon_kind', '') end as coupon_kind
    from (
        select end_user_id, min(first_key) as first_key, max(last_key) as last_key
        from fold_changed where digest is not null group by end_user_id
    ) p
    cross join lateral (
        select end_user_id, at, event_id, message_id, name_id, order_id, amount_minor, properties
        from event
        where end_user_id = p.end_user_id and workspace_id = %(workspace)s
            and client_at between p.first_key and p.last_key and client_at between %(first)s and %(last)s
            and name_id = any (array(select id from role))
        offset 0
    ) e
    join fold_changed d on d.end_user_id = e.end_user_id and d.day = (e.at at time zone %(zone)s)::date
    join role r on r.id = e.name_id
)
select
    %(workspace)s::uuid as workspace_id,
    end_user_id,
    at,
    event_id,
    kind,
    day,
    message_id,
    coalesce(nullif(order_id, ''), event_id::text) as order_key,
    amount_minor,
    coalesce(with_coupon, false) as with_coupon,
    coalesce(coupon_kind = 'targeted', with_coupon, false) as targeted
from paid
