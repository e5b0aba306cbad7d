-- Freeze who gets a run: one delivery row per person who matches the segment's rule now (the temporary table
-- segment_match), before the first message leaves.
-- Everybody gets a row: pending (treated), control, or suppressed with the reason.
-- The bucket is a hash of the campaign's salt and the person, so the same person always falls the same way.
-- Parameters: workspace, run, channel, topic, address (column of end_user), salt, control_below (0-10000),
--   consent_required, and those of campaigns.suppressions.hashing. Index: none; the people, consents and suppressions of the
--   workspace are each read once and joined as sets. Not the ORM: it is one INSERT ... SELECT over the whole audience.
insert into delivery (
    end_user_id, workspace_id, run_id, delivery_id, channel, address, arm, state, reason, detail, bucket,
    attempts, next_at, provider_ref, revenue_minor
)
select
    a.end_user_id, %(workspace)s, %(run)s,
    md5(%(salt)s || %(run)s::text || a.end_user_id::text)::uuid,
    %(channel)s, a.address,
    case when a.reason <> '' then '' when a.bucket < %(control_below)s then 'control' else 'treated' end,
    case when a.reason <> '' then 'suppressed' when a.bucket < %(control_below)s then 'control' else 'pending' end,
    case when a.reason <> '' then a.reason when a.bucket < %(control_below)s then 'control' else '' end,
    '', a.bucket, 0,
    case when a.reason = '' and a.bucket >= %(control_below)s then clock_timestamp() end,
    '', 0
from (
    select
        p.id as end_user_id,
        address.value as address,
        (('x' || left(md5(%(salt)s || p.id::text), 8))::bit(32)::bigint %% 10000)::smallint as bucket,
        case
            when address.value = '' then 'no_address'
            when c.opted_in is false then 'opted_out'
            when t.opted_in is false then 'topic_opted_out'
            when c.opted_in is null and %(consent_required)s then 'no_consent'
            when s.address is not null or h.address is not null then 'suppressed'
            else ''
        end as reason
    from segment_match m
    join end_user p on p.id = m.end_user_id and p.workspace_id = %(workspace)s and p.identified and not p.excluded and p.merged_into is null
    cross join lateral (
        select case %(address)s when 'email' then p.email when 'phone' then p.phone else p.push_token end as value
    ) address
    left join consent c
        on c.end_user_id = p.id and c.workspace_id = %(workspace)s and c.channel = %(channel)s
    left join consent t
        on t.end_user_id = p.id and t.workspace_id = %(workspace)s and t.channel = %(channel)s || '/' || %(topic)s
    left join suppression s
        on s.workspace_id = %(workspace)s and s.channel = %(channel)s and s.address = lower(address.value)
    left join suppression h
        on h.workspace_id = %(workspace)s and h.channel = %(channel)s and h.address = case when %(hashed)s then
            'erased:' || encode(sha256(%(outer)s || sha256(%(inner)s || convert_to(lower(address.value), 'UTF8'))), 'hex') end
) a
on conflict (end_user_id, workspace_id, run_id) do nothing
