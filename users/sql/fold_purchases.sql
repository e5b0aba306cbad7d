-- Orders, refunds and pay events of the days in `fold_changed`, their money read out. One event may be several of these.
-- Parameters: workspace. Reads the temporary tables fold_events and fold_changed. Not the ORM: unfolds roles into rows.
-- Targeted: the kind of coupon says so, or a coupon is there and no kind was sent.
select
    %(workspace)s::uuid as workspace_id,
    e.end_user_id,
    e.at,
    e.event_id,
    k.kind,
    e.day,
    e.message_id,
    coalesce(nullif(e.order_id, ''), e.event_id::text) as order_key,
    e.amount_minor,
    e.coupon_id is not null as with_coupon,
    coalesce(e.coupon_kind = 'targeted', e.coupon_id is not null) as targeted
from fold_events e
join fold_changed using (end_user_id, day)
cross join lateral unnest(e.kinds) as k (kind)
where e.kinds is not null
