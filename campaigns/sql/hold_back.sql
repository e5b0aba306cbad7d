-- Hold back messages of this sender whose person has opted out of the channel or the campaign's topic, whose address was
-- suppressed, or whose device is somebody else's by now, since the audience was frozen (sending -> suppressed). Runs after the commit of start_attempts and before the first byte leaves, so an
-- opt-out that was acknowledged before that commit is always seen, without a lock on anybody's consent.
-- Parameters: workspace, token, deliveries, and those of
-- campaigns.suppressions.hashing. Index: delivery_id_once; the keys of consent, suppression, push_device and end_user.
-- Not the ORM: UPDATE over two outer joins.
update delivery d
set state = 'suppressed', reason = stopped.reason, lease_token = null, lease_until = null
from (
    select o.delivery_id, case
        when c.opted_in is false then 'opted_out' when t.opted_in is false then 'topic_opted_out'
        when s.address is not null then 'suppressed' else 'no_address'
    end as reason
    from delivery o
    left join consent c
        on c.workspace_id = %(workspace)s and c.end_user_id = o.end_user_id and c.channel = o.channel
    join run r on r.id = o.run_id and r.workspace_id = %(workspace)s
    join campaign m on m.id = r.campaign_id and m.workspace_id = %(workspace)s
    left join consent t
        on t.workspace_id = %(workspace)s and t.end_user_id = o.end_user_id and t.channel = o.channel || '/' || m.topic
    left join suppression s
        on s.workspace_id = %(workspace)s and s.channel = o.channel and s.address in (
            lower(o.address),
            case when %(hashed)s then
                'erased:' || encode(sha256(%(outer)s || sha256(%(inner)s || convert_to(lower(o.address), 'UTF8'))), 'hex') end
        )
    where o.workspace_id = %(workspace)s and o.delivery_id = any(%(deliveries)s::uuid[])
      and (
          c.opted_in is false or t.opted_in is false or s.address is not null
          or (o.channel = 'push' and exists (
              select
              from (
                  select p.end_user_id from push_device p
                  where p.workspace_id = %(workspace)s and p.token = o.address
                  order by p.seen_at desc, p.end_user_id desc
                  limit 1
              ) last
              join end_user theirs on theirs.workspace_id = %(workspace)s and theirs.id = last.end_user_id
              join end_user mine on mine.workspace_id = %(workspace)s and mine.id = o.end_user_id
              where coalesce(theirs.merged_into, theirs.id) <> coalesce(mine.merged_into, mine.id)
          ))
      )
) stopped
where d.workspace_id = %(workspace)s and d.delivery_id = any(%(deliveries)s::uuid[])
  and d.delivery_id = stopped.delivery_id and d.state = 'sending' and d.lease_token = %(token)s
returning d.delivery_id
