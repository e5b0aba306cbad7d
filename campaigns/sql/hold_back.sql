-- Hold back messages of this sender whose person was excluded from the numbers, has opted out of the channel or the
-- campaign's topic, whose address was suppressed, or whose device is somebody else's by now, since the audience was frozen
-- (sending -> suppressed). Two ids that were one person's all along have a message each: once one of them may have arrived,
-- the other is held back too, and while one is leaving, the other waits for what becomes of it (sending -> pending); of two
-- in one group the smaller goes. Runs after the commit of start_attempts and before the first byte leaves, so an opt-out
-- that was acknowledged before that commit is always seen, without a lock on anybody's consent, and of two senders with a
-- message each to one person at least the later sees the other's.
-- Parameters: workspace, token, deliveries, wait_seconds, and those of campaigns.suppressions.hashing.
-- Index: delivery_id_once; the keys of consent, suppression, push_device, delivery and end_user; end_user_merged.
-- Right after a freeze the statistics know nothing of the new run, and any join by key may be planned as a walk over all of it
-- for each message: messages, people, what they said and what else they get are looked up one by one. What is looked up is made
-- before: row-level security asks no index for what it does not trust, such as lower(), || and coalesce. Where they say that
-- there are no messages at all any index looks as good; what a person else gets is asked for in the order of the one that has it.
-- Not the ORM: UPDATE over outer joins.
with leaving as materialized (
    select
        o.delivery_id, o.end_user_id, o.run_id, o.channel, o.address, o.channel || '/' || m.topic as topic,
        lower(o.address) as plain,
        case when %(hashed)s then
            'erased:' || encode(sha256(%(outer)s || sha256(%(inner)s || convert_to(lower(o.address), 'UTF8'))), 'hex') end
            as mark
    from unnest(%(deliveries)s::uuid[]) as going (id)
    cross join lateral (
        select delivery_id, end_user_id, run_id, channel, address from delivery
        where delivery_id = going.id and workspace_id = (select %(workspace)s::uuid)
        offset 0
    ) o
    join run r on r.id = o.run_id and r.workspace_id = %(workspace)s
    join campaign m on m.id = r.campaign_id and m.workspace_id = %(workspace)s
),
stopped as materialized (
    select o.delivery_id, case
        when person.excluded then 'excluded'
        when said.opted_out then 'opted_out' when said.topic_opted_out then 'topic_opted_out'
        when s.address is not null or e.address is not null then 'suppressed'
        when device.is_anothers then 'no_address'
        when other.arrived then 'same_person'
        when other.leaving then ''
    end as reason
    from leaving o
    left join lateral (
        select bool_or(word.channel = o.channel) as opted_out, bool_or(word.channel = o.topic) as topic_opted_out
        from (
            select channel, opted_in from consent
            where end_user_id = o.end_user_id and workspace_id = (select %(workspace)s::uuid)
            offset 0
        ) word
        where not word.opted_in
    ) said on true
    left join lateral (
        select address from suppression
        where workspace_id = (select %(workspace)s::uuid) and channel = o.channel and address = o.plain
        offset 0
    ) s on true
    left join lateral (
        select address from suppression
        where workspace_id = (select %(workspace)s::uuid) and channel = o.channel and address = o.mark
        offset 0
    ) e on true
    left join lateral (
        select coalesce(merged_into, id) as person_id
        from end_user
        where id = o.end_user_id and workspace_id = (select %(workspace)s::uuid)
        offset 0
    ) mine on true
    left join lateral (
        select id, excluded from end_user
        where id = mine.person_id and workspace_id = (select %(workspace)s::uuid)
        offset 0
    ) person on true
    cross join lateral (
        select o.channel = 'push' and exists (
            select
            from (
                select p.end_user_id from push_device p
                where p.workspace_id = %(workspace)s and p.token = o.address
                order by p.seen_at desc, p.end_user_id desc
                limit 1
            ) last
            join end_user theirs on theirs.workspace_id = %(workspace)s and theirs.id = last.end_user_id
            where coalesce(theirs.merged_into, theirs.id) <> person.id
        ) as is_anothers
        offset 0
    ) device
    left join lateral (
        select
            bool_or(x.state in ('sent', 'unknown')) as arrived,
            bool_or(
                x.state = 'sending'
                and not (x.delivery_id = any(%(deliveries)s::uuid[]) and x.delivery_id > o.delivery_id)
            ) as leaving
        from (
            select person.id
            union all
            (
                select i.id from end_user i
                where i.workspace_id = %(workspace)s and i.merged_into = person.id and i.identified
                offset 0
            )
        ) ids
        cross join lateral (
            select delivery_id, run_id, state from delivery
            where end_user_id between ids.id and ids.id and workspace_id = (select %(workspace)s::uuid)
            order by end_user_id
            offset 0
        ) x
        where x.run_id = o.run_id and x.delivery_id <> o.delivery_id
        offset 0
    ) other on true
)
update delivery d
set state = case when stopped.reason = '' then 'pending' else 'suppressed' end, reason = stopped.reason,
    next_at = case when stopped.reason = '' then clock_timestamp() + make_interval(secs => %(wait_seconds)s) else d.next_at end,
    lease_token = null, lease_until = null
from stopped
where d.workspace_id = %(workspace)s and d.delivery_id = any(%(deliveries)s::uuid[])
  and d.delivery_id = stopped.delivery_id and stopped.reason is not null
  and d.state = 'sending' and d.lease_token = %(token)s
returning d.delivery_id
