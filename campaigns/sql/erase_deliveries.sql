-- Lets the deliveries of an erased person count on for nobody: each under a random person and a random id of its own,
-- without address and answers of the provider, its times cut to the day. What was still open is not sent any more; of what
-- was leaving at this moment nobody knows. Parameters: workspace, ids (array of uuids), open (states). Index: the key of
-- delivery. Not the ORM: other ids for each row, and states that depend on those before.
update delivery
set end_user_id = gen_random_uuid(), delivery_id = gen_random_uuid(), origin_id = null,
    address = '', detail = '', provider_ref = '', bucket = 0, lease_token = null, lease_until = null, next_at = null,
    state = case when state = 'sending' then 'unknown' when state = any(%(open)s) then 'suppressed' else state end,
    reason = case when state = any(%(open)s) then 'erased' else reason end,
    sent_at = date_trunc('day', sent_at), opened_at = date_trunc('day', opened_at),
    clicked_at = date_trunc('day', clicked_at), unsubscribed_at = date_trunc('day', unsubscribed_at),
    converted_at = date_trunc('day', converted_at)
where workspace_id = %(workspace)s and end_user_id = any(%(ids)s::uuid[])
