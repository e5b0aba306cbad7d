-- The purchases up to a day of the people in `fact_buyers`. Parameters: workspace, day. Index: the key of purchase.
-- Not the ORM: kept as a temporary table; person by person.
select p.*
from fact_buyers b
cross join lateral (
    select end_user_id, kind, order_key, at, message_id, event_id, day, amount_minor, with_coupon, targeted
    from purchase
    where end_user_id = b.end_user_id and workspace_id = (select %(workspace)s::uuid) and day <= %(day)s
    offset 0
) p
